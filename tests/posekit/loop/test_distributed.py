"""Several devices, several processes and sudden ends; each run is a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from unused_ports import unused_ports

from posekit.checkpoints import read_newest_checkpoint

SCRIPT = Path(__file__).with_name("tiny_training.py")
NUMBERS = ("step", "loss", "square", "absolute", "error", "lr")


def start(run_dir, task=None, **options):
    """Starts one process with one thread, which makes sums reproducible."""
    environment = os.environ | {"TF_NUM_INTRAOP_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment["PYTHONPATH"] = str(SCRIPT.parents[3])
    if task is not None:
        environment["TF_CONFIG"] = json.dumps(task)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(run_dir), json.dumps(options)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_workers(run_dir, options=({}, {})):
    """Starts two workers on this machine; options: of each."""
    addresses = [f"127.0.0.1:{port}" for port in unused_ports(2)]
    tasks = [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}} for i in (0, 1)
    ]
    return [start(run_dir, task, **own) for task, own in zip(tasks, options, strict=True)]


def end(process, code=0):
    """Waits; gives (printed result or None, stderr)."""
    try:
        out, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == code, errors[-3000:]
    return (json.loads(out) if out else None), errors


def numbers(result):
    return {name: result["history"][name] for name in NUMBERS}


def same_result(a, b):
    """Equal to the last bit: every logged number, weight and optimizer slot."""
    assert numbers(a) == numbers(b)
    assert (a["model"], a["optimizer"]) == (b["model"], b["optimizer"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def unbroken(folder):
    return end(start(folder / "unbroken", epochs=6))[0]


def test_killed_run_continues_bit_for_bit(folder, unbroken):
    """Three epochs and a half, kill -9, the rest."""
    end(start(folder / "killed", epochs=6, kill_at=18), -signal.SIGKILL)
    result, errors = end(start(folder / "killed", epochs=6))
    assert "resuming at step 15, epoch 4" in errors
    same_result(result, unbroken)
    table = (folder / "killed" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in table[1:]] == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    "number, code",
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_signal_saves_and_the_rest_continues_bit_for_bit(folder, unbroken, number, code):
    run_dir, ready = folder / f"signal-{code}", folder / f"ready-{code}"
    process = start(run_dir, epochs=6, ready=str(ready), pause=0.5)  # half a minute
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    end(process, code)
    step = read_newest_checkpoint(run_dir / "checkpoints")[1]["progress"]["step"]
    assert 1 <= step < 30
    same_result(end(start(run_dir, epochs=6))[0], unbroken)


def test_two_workers_equal_two_replicas_bit_for_bit(folder):
    """The other worker begins with other weights, as where only it could not load a file."""
    options = dict(epochs=2, clip_norm=0.5, ema=0.9)
    runs = start_workers(folder / "two-workers", [options, options | {"offset": 0.5}])
    runs += [start(folder / "two-replicas", devices=2, **options)]
    chief, other, replicas = (end(run)[0] for run in runs)
    same_result(chief, replicas)
    same_result(other, replicas)


@pytest.mark.slow
def test_replicas_differ_from_one_device_by_rounding_only(folder):
    """Without BatchNormalization and Dropout, which see the batch of one replica."""
    options = dict(epochs=2, clip_norm=0.5, ema=0.9, plain=True)
    runs = [start(folder / f"plain-{n}", devices=n, **options) for n in (1, 2)]
    one, two = (numbers(end(run)[0]) for run in runs)
    for name in NUMBERS:
        assert two[name] == pytest.approx(one[name], rel=1e-5), name


def test_hanging_input_ends_the_process(folder):
    _, errors = end(start(folder / "hang", hang=True, input_timeout=10.0), 1)
    assert "the input gave no batch for 10 s" in errors


@pytest.mark.slow
def test_float16_on_two_replicas(folder):
    options = dict(dtype_policy="mixed_float16", devices=2, epochs=4, clip_norm=1.0)
    result, _ = end(start(folder / "float16", **options))
    assert result["history"]["loss"][-1] < 0.5 * result["history"]["loss"][0]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_killed_worker_ends_the_other_and_a_restart_continues(folder, victim):
    """The survivor hears of it (within half a minute), says so and ends with code 1."""
    run_dir = folder / f"victim-{victim}"
    options = [dict(epochs=6, checkpoint_every=2) for _ in range(2)]
    whole = end(start(folder / f"whole-{victim}", devices=2, **options[0]))[0]
    options[victim]["kill_at"] = 18
    workers = start_workers(run_dir, options)
    end(workers[victim], -signal.SIGKILL)
    _, errors = end(workers[1 - victim], 1)
    assert "WorkerLost" in errors or "ChiefFailed" in errors
    del options[victim]["kill_at"]
    for worker in start_workers(run_dir, options):
        same_result(end(worker)[0], whole)


@pytest.mark.slow
def test_signal_to_one_worker_stops_both_at_the_same_step(folder):
    run_dir = folder / "one-told"
    workers = start_workers(run_dir, [dict(epochs=6), dict(epochs=6, stop_at=8)])
    for worker in workers:
        end(worker, 143)
    assert read_newest_checkpoint(run_dir / "checkpoints")[1]["progress"]["step"] == 9
    whole = end(start(folder / "told-whole", devices=2, epochs=6))[0]
    for worker in start_workers(run_dir, [dict(epochs=6)] * 2):
        same_result(end(worker)[0], whole)


@pytest.mark.slow
def test_divergence_on_one_worker_stops_both_and_lists_all_images(folder):
    for worker in start_workers(folder / "nan", [dict(nan=True)] * 2):
        _, errors = end(worker, 1)
        assert "TrainingDiverged" in errors
    report = json.loads((folder / "nan" / "diverged.json").read_text())
    assert len(report["image_ids"]) == 4 and report["step"] == 3
