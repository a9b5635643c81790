"""Whole trainings of the script that are killed and taken up again; minutes, so marked slow."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from unused_ports import unused_ports

import posekit.normalization  # noqa: F401  load_model needs the layer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TINY = (
    *("--synthetic.train", 24, "--synthetic.val", 4, "--synthetic.people", 1, 2),
    *("--batch-size", 4, "--patch-size", 64, "--eval-images", 4, "--validate-every", 1),
    *("--epochs", 6, "--threads", 1, "--deterministic", "--ema", 0.9),
)


def start(folder: Path, *words, **environment):
    command = [sys.executable, ROOT / "scripts" / "train_keypoint.py", "demo", *TINY, *words]
    command = [str(word) for word in (*command, "--output", folder)]
    log = (folder / "log.txt").open("a")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def finish(*processes):
    assert [process.wait(timeout=600) for process in processes] == [0] * len(processes)


def wait_for_epoch(folder: Path, epoch: int):
    deadline = time.monotonic() + 300
    while len(losses(folder)) < epoch:
        assert time.monotonic() < deadline, (folder / "log.txt").read_text()[-2000:]
        time.sleep(0.05)


def losses(folder: Path) -> list[dict]:
    """Rows of log.csv without what is measured by the clock."""
    path = folder / "demo" / "log.csv"
    if not path.exists():
        return []
    timed = {"seconds", "samples_per_second", "resident_mb"}
    rows = csv.DictReader(path.open())
    return [{k: v for k, v in row.items() if k not in timed} for row in rows]


def weights(folder: Path) -> list[np.ndarray]:
    return keras.saving.load_model(folder / "demo" / "last.keras").get_weights()


def assert_equal_runs(one: Path, other: Path):
    assert losses(one) == losses(other)
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


def folders(tmp_path, *names):
    for name in names:
        (tmp_path / name).mkdir()
    return [tmp_path / name for name in names]


def cluster():
    """TF_CONFIG of two workers on this machine."""
    addresses = [f"127.0.0.1:{port}" for port in unused_ports(2)]
    tasks = [{"type": "worker", "index": index} for index in (0, 1)]
    return [json.dumps({"cluster": {"worker": addresses}, "task": task}) for task in tasks]


def test_killed_after_three_of_six_epochs_it_ends_as_if_nothing_had_happened(tmp_path):
    whole, broken = folders(tmp_path, "whole", "broken")
    finish(start(whole))
    process = start(broken)
    wait_for_epoch(broken, 3)
    process.kill()
    process.wait()
    assert 3 <= len(losses(broken)) < 6
    finish(start(broken))
    assert len(losses(whole)) == 6
    assert_equal_runs(whole, broken)


def test_two_workers_are_two_replicas_and_survive_the_death_of_one(tmp_path):
    replicas, workers = folders(tmp_path, "replicas", "workers")
    finish(start(replicas, "--devices", 2))
    pair = [start(workers, TF_CONFIG=config) for config in cluster()]
    wait_for_epoch(workers, 3)
    pair[1].kill()
    assert pair[1].wait() != 0 and pair[0].wait(timeout=300) != 0  # the survivor does not hang
    assert 3 <= len(losses(workers)) < 6
    finish(*[start(workers, TF_CONFIG=config) for config in cluster()])
    assert_equal_runs(replicas, workers)
