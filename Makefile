# Each target sets up its own environment in .venv; needs Python 3.11-3.13, git and make only.
PYTHON ?= python3
VENV := .venv

.PHONY: demo test slow lint
demo: $(VENV)/ready
	$(VENV)/bin/python scripts/train_keypoint.py demo

test: $(VENV)/ready
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest

slow: $(VENV)/ready
	$(VENV)/bin/python -m pytest -m slow

# Debian keeps what python3 -m venv needs in a package of its own.
$(VENV)/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV) || { apt-get update && apt-get install -y python3-venv && $(PYTHON) -m venv $(VENV); }
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable ".[cpu,test]"
	touch $@
