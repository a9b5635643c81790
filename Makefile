# Each target sets up its own environment in .venv; needs Python 3.11-3.13, git and make only.
PYTHON ?= python3
VENV := .venv
# Two processes; the tests of a file stay together, so that what they share is made once.
TWO := -n 2 --dist loadfile

.PHONY: demo crowds topdown test faults slow
demo: $(VENV)/ready
	$(VENV)/bin/python scripts/train_keypoint.py demo

# Keypoints, person detector and PRN in turn, joined and evaluated on held-out crowds.
crowds: $(VENV)/ready
	$(VENV)/bin/python scripts/train_keypoint.py demo-crowds
	$(VENV)/bin/python scripts/train_detector.py demo-crowds
	$(VENV)/bin/python scripts/train_prn.py demo-crowds
	$(VENV)/bin/python scripts/join.py runs/demo-crowds runs/detector-demo-crowds runs/prn-demo-crowds \
		--output runs/crowds.keras --shorter-edge 192 --canvas 256 256 --nms 0.5
	$(VENV)/bin/python scripts/eval_coco.py runs/crowds.keras --data runs/synthetic/192px-*-crowding0.3-* \
		--flip --scales 1 1.2 1.4
	for grouping in prn max "ucr --prior runs/prn-demo-crowds/prior.npz"; do \
		$(VENV)/bin/python scripts/eval_coco.py runs/crowds.keras --data runs/synthetic/192px-*-crowding0.3-* \
			--grouping $$grouping --picture runs/crowds-$${grouping%% *}.png; \
	done

# A top-down network on synthetic people, evaluated in their true boxes.
topdown: $(VENV)/ready
	$(VENV)/bin/python scripts/train_topdown.py demo

test: $(VENV)/ready
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest $(TWO)

# The faults of docs/RELIABILITY.md whose tests take more than ten seconds; test runs the others.
faults: $(VENV)/ready
	$(VENV)/bin/python -m pytest tests/faults -m slow $(TWO)

slow: $(VENV)/ready
	$(VENV)/bin/python -m pytest -m slow $(TWO)

# Debian keeps what python3 -m venv needs in a package of its own.
$(VENV)/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV) || { apt-get update && apt-get install -y python3-venv && $(PYTHON) -m venv $(VENV); }
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable ".[cpu,test]"
	touch $@
