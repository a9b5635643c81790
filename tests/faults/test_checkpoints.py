"""Checkpoints: full disks, killed writers and damaged files (T2 to T4)."""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import endless_saver
import numpy as np
import pytest
from training_scripts import (
    after_validation,
    changed_fit,
    contents,
    rows,
    run_dir,
    run_here,
    start,
    words_of,
)

from posekit.checkpoints import has_checkpoint, read_newest_checkpoint

PAGE = 4096


@contextlib.contextmanager
def limited_files(folder):
    """Yields two functions: let each file have so many bytes only; lift that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    lift = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))  # noqa: E731
    try:
        yield lambda room: resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard)), lift
    finally:
        lift()


@contextlib.contextmanager
def small_disk(folder):
    """Mounts a small file system; yields two functions: leave so many bytes; make room."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder])
    if mounted.returncode:
        pytest.skip("this machine does not let tests mount a file system")
    filler = folder / "filler"
    try:
        yield (
            lambda room: filler.write_bytes(bytes(shutil.disk_usage(folder).free - room)),
            (lambda: filler.unlink()),
        )
    finally:
        subprocess.run(["umount", folder], check=True)


def room_before(victim, files):
    """Bytes that suffice for what the second epoch writes before the victim, but not for it."""
    model = len(files["last.keras"])
    sizes = [len(content) for name, content in files.items() if name.startswith("checkpoints/")]
    checkpoint = sum(PAGE * -(-size // PAGE) for size in sizes)
    return {
        "last.keras": model // 2,
        "checkpoint 000002": (model + checkpoint) // 2,
        "log.csv": checkpoint,
        "prior.npz": checkpoint + PAGE,  # log.csv in one page
    }[victim]


@pytest.mark.parametrize(
    ("fault", "victim"),
    [
        (limited_files, "last.keras"),
        (small_disk, "checkpoint 000002"),
        (small_disk, "log.csv"),
        pytest.param(limited_files, "checkpoint 000002", marks=pytest.mark.slow),
        pytest.param(small_disk, "last.keras", marks=pytest.mark.slow),
        pytest.param(small_disk, "prior.npz", marks=pytest.mark.slow),
    ],
)
def test_t2_a_full_disk_leaves_what_was_there(tmp_path, capsys, fault, victim):
    words = ("prn", tmp_path, "--epochs", 2)
    with fault(tmp_path) as (fill, make_room):
        strike = lambda: fill(room_before(victim, contents(run_dir(tmp_path))))  # noqa: E731
        with changed_fit(after_validation(2, strike)):
            assert run_here(*words) == 1
        assert f"could not write {victim}" in capsys.readouterr().err
        assert not [name for name in contents(tmp_path) if ".tmp-" in name]
        step = read_newest_checkpoint(run_dir(tmp_path) / "checkpoints")[1]["progress"]["step"]
        assert step == (2 if victim in ("last.keras", "checkpoint 000002") else 4)
        for name in ("last.keras", "best.keras"):
            with zipfile.ZipFile(run_dir(tmp_path) / name) as archive:
                assert archive.testzip() is None
        assert len(rows(tmp_path)) == (2 if victim == "prior.npz" else 1)
        make_room()
        assert run_here(*words) == 0
        assert f"resuming at step {step}" in capsys.readouterr().err
        assert [row["step"] for row in rows(tmp_path)] == ["2", "4"]


def state_after_a_kill(folder):
    """Step of the newest checkpoint, which must be whole, as must be the files beside it."""
    arrays, state = read_newest_checkpoint(folder / "checkpoints")
    step = state["step"]
    assert (arrays["model 0"] == step).all() and (arrays["optimizer 0"] == -step).all()
    with zipfile.ZipFile(folder / "last.keras") as archive:
        saved = np.unique(np.frombuffer(archive.read("model.weights.h5"), np.int32))
    assert saved.tolist() in ([step], [step + 1])  # the model is saved before the checkpoint
    lines = (folder / "log.csv").read_text().splitlines()[1:]
    # Written after the checkpoint: each kill between the two lets it fall one more line behind.
    assert lines == [str(number + 1) for number in range(len(lines))] and len(lines) <= step
    return step, len(lines)


@pytest.mark.slow
def test_t3_fifty_kills_while_saving_leave_fifty_loadable_checkpoints(tmp_path):
    """One round: start, kill -9 at a random moment, load; the next round goes on from there."""
    chance, steps, logged, hit = random.Random(0), [], [], []
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, endless_saver.__file__, str(tmp_path)]
    (tmp_path / "checkpoints").mkdir()
    newest = lambda: max((tmp_path / "checkpoints").glob("0*"), default=None)  # noqa: E731
    while len(steps) < 50:
        before = newest()
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as saver:
            saver.stdout.readline()
            # Each second round gets a step done, however slow the disk is.
            while not (tmp_path / "log.csv").exists() or (len(steps) % 2 and newest() == before):
                assert saver.poll() is None
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.4))
            saver.send_signal(signal.SIGKILL)
        hit.append(len(list(tmp_path.rglob(".tmp-*"))) > 0)
        step, lines = state_after_a_kill(tmp_path)
        steps.append(step)
        logged.append(lines)
    print(f"{len(steps)} loadable, {sum(hit)} of them killed within a file, last step {steps[-1]}")
    assert steps == sorted(steps) and steps[-1] > 10
    assert logged == sorted(logged), "lines of the log were lost"
    assert sum(hit) > 10, "hardly any kill struck while something was being written"
    assert len(list((tmp_path / "checkpoints").glob("0*"))) <= 4


@pytest.mark.slow
def test_t3_a_training_script_goes_on_after_each_kill(tmp_path):
    words = words_of("prn", tmp_path, "--epochs", 500, "--checkpoint-steps", 1)
    chance, steps, log = random.Random(0), [0], tmp_path / "log.txt"
    for _ in range(4):
        process = start(words, log)
        while log.read_text().count("epoch") < 5 * len(steps) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        assert process.wait() == -signal.SIGKILL, log.read_text()[-2000:]
        found = read_newest_checkpoint(run_dir(tmp_path) / "checkpoints")
        steps.append(found[1]["progress"]["step"])
        assert all(np.isfinite(array).all() for array in found[0].values())
    assert (np.diff(steps) > 0).all()
    assert log.read_text().count("resuming at step") == 3


def stop(*_):
    os.kill(os.getpid(), signal.SIGTERM)


def damage_cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_bit, pytest.param(damage_cut, marks=pytest.mark.slow)])
def test_t4_a_damaged_newest_checkpoint_is_passed_over_and_said(tmp_path, capsys, damage):
    words = ("prn", tmp_path, "--epochs", 2)
    with changed_fit(after_validation(2, stop)):
        assert run_here(*words) == 143
    checkpoints = run_dir(tmp_path) / "checkpoints"
    older, newest = sorted(checkpoints.iterdir())
    damage(newest / "variables.npz")
    capsys.readouterr()
    assert run_here(*words) == 0
    said = capsys.readouterr().err
    assert f"{newest.name} is damaged" in said and "resuming at step 2" in said
    assert [row["step"] for row in rows(tmp_path)] == ["2", "4"]
    for path in checkpoints.iterdir():
        (path / "variables.npz").write_bytes(b"")
    assert has_checkpoint(checkpoints) and run_here(*words) == 1  # no fresh start unasked
    assert "expected a whole checkpoint" in capsys.readouterr().err
