"""Interrupted trainings equal unbroken ones, and long ones keep their memory flat (T6, T10)."""

import signal

import numpy as np
import pytest
from training_scripts import rows, run_dir, start, start_held, wait_for, words_of

from posekit.checkpoints import read_newest_checkpoint

pytestmark = pytest.mark.slow

TIMED = ("seconds", "samples_per_second", "resident_mb")
PLATEAU = ("--schedule", "plateau", "--patience", 1, "--learning-rate", 0.3, "--ema", 0.5)
STEPS = ("--schedule", "step", "--drops", 2, 4, "--mining-from", 1, "--validate-every", 1)


def start_tiny(training, folder, *words, held=None):
    folder.mkdir(exist_ok=True)
    words = words_of(training, folder, "--threads", 1, "--deterministic", *words)
    log = folder / "log.txt"
    return start_held(held, words, log) if held else start(words, log)


def untimed(folder):
    return [{k: v for k, v in row.items() if k not in TIMED} for row in rows(folder)]


@pytest.mark.parametrize(
    ("training", "epochs", "words"),
    [("keypoint", 6, PLATEAU), ("topdown", 6, STEPS), ("prn", 40, ("--ema", 0.9))],
)
def test_t6_a_resumed_run_equals_an_unbroken_one(tmp_path, training, epochs, words):
    """Half the epochs, or a signal at half of them, then the rest: equal to the last bit.

    Early stopping, which no recipe has, is among the callbacks of `loop.tiny_training`'s tests.
    """
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken = start_tiny(training, whole, "--epochs", epochs, *words)
    by_epochs = "plateau" in words
    half = epochs // 2
    if by_epochs:
        first = start_tiny(training, broken, "--epochs", half, *words)
    else:
        first = start_tiny(training, broken, "--epochs", epochs, *words, held=half + 1)
        wait_for(lambda: len(rows(broken)) == half, first, broken / "log.txt")
        first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=600) == (0 if by_epochs else 143)
    assert len(rows(broken)) == half
    rest = start_tiny(training, broken, "--epochs", epochs, *words)
    assert [process.wait(timeout=600) for process in (unbroken, rest)] == [0, 0]
    said = (broken / "log.txt").read_text()
    assert "resuming at step" in said and ("recipe.epochs: 3 -> 6" in said) == by_epochs
    assert untimed(whole) == untimed(broken) and len(rows(whole)) == epochs
    rates = [float(row["lr"]) for row in rows(whole)]
    assert rates == sorted(rates, reverse=True) or training == "prn"  # a cosine warms up
    assert len(set(rates)) > 1
    assert_same_checkpoint(run_dir(whole) / "checkpoints", run_dir(broken) / "checkpoints")


def assert_same_checkpoint(one, other):
    (arrays, state), (others, other_state) = map(read_newest_checkpoint, (one, other))
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():  # weights, statistics, dropout seeds, optimizer, average
        np.testing.assert_array_equal(array, others[name], strict=True, err_msg=name)
    assert state["callbacks"] == other_state["callbacks"]
    for name in ("step", "epoch", "lr", "best", "stopped"):
        assert state["progress"][name] == other_state["progress"][name], name


@pytest.mark.parametrize("training", ["prn", "topdown"])
def test_t10_memory_stays_flat_over_thirty_epochs(tmp_path, training):
    assert start_tiny(training, tmp_path, "--epochs", 30).wait(timeout=900) == 0
    memory = np.array([float(row["resident_mb"]) for row in rows(tmp_path)][3:])
    slope = np.polyfit(np.arange(27), memory, 1)[0]
    print(f"{training}: {slope:+.2f} MiB an epoch, {memory[0]:.0f} to {memory[-1]:.0f} MiB")
    assert slope < 1, memory.tolist()
