import contextlib
import errno
import json
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from posekit.atomic_files import WriteError, remove_unfinished, replaced_file, write_file
from posekit.checkpoints import (
    CheckpointError,
    assign_variables,
    has_checkpoint,
    read_newest_checkpoint,
    variable_arrays,
    write_checkpoint,
)

ARRAYS = {"model 0": np.arange(6, dtype=np.float32).reshape(2, 3), "model 1": np.uint32([7, 8])}


class StubVariable:
    """What checkpoints use of a Keras variable."""

    path = "dense/kernel"

    def __init__(self, value):
        self._value = value
        self.shape, self.dtype = value.shape, value.dtype

    def numpy(self):
        return self._value

    def assign(self, value):
        self._value = value.astype(self.dtype)


@contextlib.contextmanager
def file_size_limit(num_bytes):
    """Writing beyond the limit raises OSError, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_round_trip_keeps_the_last_three(tmp_path):
    assert read_newest_checkpoint(tmp_path / "absent") is None
    for step in range(5):
        write_checkpoint(tmp_path, ARRAYS, {"step": step, "best": float("inf")}, step)
    assert names(tmp_path) == ["000003-step-2", "000004-step-3", "000005-step-4"]
    arrays, state = read_newest_checkpoint(tmp_path)
    assert state == {"step": 4, "best": float("inf")}
    assert list(arrays) == list(ARRAYS)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


@pytest.mark.parametrize("file", ["variables.npz", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "bit", "gone"])
def test_damaged_newest_is_passed_over_and_said(tmp_path, capsys, file, damage):
    write_checkpoint(tmp_path, ARRAYS, {"step": 1}, 1)
    path = write_checkpoint(tmp_path, ARRAYS, {"step": 2}, 2) / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content if damage == "bit" else content[: len(content) // 2])
    if damage == "gone":
        path.unlink()
    assert read_newest_checkpoint(tmp_path)[1] == {"step": 1}
    assert "000002-step-2 is damaged" in capsys.readouterr().err
    write_checkpoint(tmp_path, ARRAYS, {"step": 3}, 3)
    assert read_newest_checkpoint(tmp_path)[1] == {"step": 3}


@pytest.mark.parametrize("content", [b"[]", b"1", b'{"sha256": []}', b"[" * 100_000, b"\xff\0"])
def test_a_manifest_of_another_form_is_damage(tmp_path, capsys, content):
    write_checkpoint(tmp_path, ARRAYS, {"step": 1}, 1)
    (write_checkpoint(tmp_path, ARRAYS, {"step": 2}, 2) / "manifest.json").write_bytes(content)
    assert read_newest_checkpoint(tmp_path)[1] == {"step": 1}
    assert "000002-step-2 is damaged" in capsys.readouterr().err


def test_arrays_that_are_no_zip_file_are_damage_though_the_hash_fits(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, ARRAYS, {"step": 1}, 1)
    with monkeypatch.context() as patch:
        patch.setattr("posekit.checkpoints.arrays_to_bytes", lambda arrays: b"PK\3\4hello")
        write_checkpoint(tmp_path, ARRAYS, {"step": 2}, 2)
    assert read_newest_checkpoint(tmp_path)[1] == {"step": 1}


def test_what_somebody_laid_beside_checkpoints_is_left_alone(tmp_path, capsys):
    strange = ["000009-notes.txt", "7", "\u00b2-step-5", "000001-step-1 (copy)"]
    for name in strange:
        (tmp_path / name).write_text("mine")
    for step in range(5):
        write_checkpoint(tmp_path, ARRAYS, {"step": step}, step)
    kept = ["000003-step-2", "000004-step-3", "000005-step-4"]
    assert names(tmp_path) == sorted([*strange, *kept])
    assert read_newest_checkpoint(tmp_path)[1] == {"step": 4} and not capsys.readouterr().err


def test_an_old_checkpoint_that_cannot_be_removed_stops_nobody(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    for step in range(3):
        write_checkpoint(tmp_path, ARRAYS, {}, step)
    with monkeypatch.context() as patch:
        patch.setattr("os.rmdir", refuse)
        write_checkpoint(tmp_path, ARRAYS, {"step": 3}, 3)
    assert read_newest_checkpoint(tmp_path)[1] == {"step": 3}


def test_no_whole_checkpoint_is_an_error_not_a_fresh_start(tmp_path):
    (write_checkpoint(tmp_path, ARRAYS, {}, 1) / "variables.npz").write_bytes(b"")
    with pytest.raises(CheckpointError, match="1 damaged"):
        read_newest_checkpoint(tmp_path)


def test_full_disk_leaves_the_old_ones(tmp_path):
    write_checkpoint(tmp_path, ARRAYS, {"step": 1}, 1)
    large = {"model 0": np.zeros(100_000)}
    with (
        file_size_limit(50_000),
        pytest.raises(WriteError, match="checkpoint 000002-step-2.*before is intact"),
    ):
        write_checkpoint(tmp_path, large, {"step": 2}, 2)
    assert names(tmp_path) == ["000001-step-1"]
    assert read_newest_checkpoint(tmp_path)[1] == {"step": 1}


def test_full_disk_leaves_the_old_file(tmp_path):
    write_file(tmp_path / "log.csv", "old")
    with file_size_limit(1000), pytest.raises(WriteError, match="could not write log.csv"):
        write_file(tmp_path / "log.csv", "x" * 2000)
    assert (tmp_path / "log.csv").read_text() == "old" and names(tmp_path) == ["log.csv"]
    with pytest.raises(KeyError), replaced_file(tmp_path / "log.csv") as temporary:
        temporary.write_text("half")
        raise KeyError
    assert (tmp_path / "log.csv").read_text() == "old" and names(tmp_path) == ["log.csv"]


def test_a_folder_that_vanished_is_named_like_a_full_disk(tmp_path):
    folder = tmp_path / "run"
    for path in (folder / "log.csv", tmp_path / "is-a-folder"):
        (tmp_path / "is-a-folder").mkdir(exist_ok=True)
        with pytest.raises(WriteError, match=f"could not write {path.name}") as caught:
            write_file(path, "new")
        assert caught.value.exit_code == 1 and names(tmp_path) == ["is-a-folder"]
    with pytest.raises(FileNotFoundError) as other, replaced_file(tmp_path / "copy"):
        open(tmp_path / "source")  # no fault of the file that is written
    assert not isinstance(other.value, WriteError)
    folder.write_text("")
    with pytest.raises(WriteError, match="could not write checkpoint"):
        write_checkpoint(folder / "checkpoints", ARRAYS, {}, 1)


def test_variables_are_put_back_all_or_none():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = [np.float32([1.5, 2.5]), np.array([0.1, -3], ml_dtypes.bfloat16)]
    arrays = variable_arrays(model=[StubVariable(value) for value in values])
    fresh = [StubVariable(np.zeros_like(value)) for value in values]
    assign_variables(arrays, model=fresh)
    for variable, value in zip(fresh, values, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, strict=True)
    other = [StubVariable(np.zeros(2, np.float32)), StubVariable(np.zeros(3, np.float32))]
    with pytest.raises(ValueError, match=r"expected dense/kernel of shape \(3,\), received \(2,\)"):
        assign_variables(arrays, model=other)
    assert not other[0].numpy().any()
    with pytest.raises(ValueError, match="expected 1 variables of the model, received 2"):
        assign_variables(arrays, model=other[:1])
    with pytest.raises(CheckpointError, match="expected 2 variables of the model"):
        assign_variables({"model 0": values[0], "model 7": values[1]}, model=fresh)


def test_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path):
    """Saves in an endless loop, killed at random moments; tests/faults does so fifty times."""
    script = textwrap.dedent("""
        import sys, numpy as np
        from posekit.checkpoints import read_newest_checkpoint, write_checkpoint
        step = read_newest_checkpoint(sys.argv[1])[1]["step"]
        while True:
            step += 1
            write_checkpoint(sys.argv[1], {"model 0": np.full(300_000, step)}, {"step": step}, step)
            print("saved", flush=True)
    """)
    chance = random.Random(0)
    steps = [0]
    write_checkpoint(tmp_path, {"model 0": np.zeros(1)}, {"step": 0}, 0)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            process.stdout.readline()  # one more at least, however slow the machine
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        remove_unfinished(tmp_path)
        found = read_newest_checkpoint(tmp_path)
        assert (found[0]["model 0"] == found[1]["step"]).all()
        steps.append(found[1]["step"])
    assert (np.diff(steps) > 0).all()
    # A kill between rename and clean-up leaves one folder more, until the next whole save.
    write_checkpoint(tmp_path, ARRAYS, {}, steps[-1] + 1)
    assert len(names(tmp_path)) == 3
    manifest = json.loads((sorted(tmp_path.iterdir())[-1] / "manifest.json").read_text())
    assert set(manifest["sha256"]) == {"variables.npz", "state.json"}


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    """Else a training would begin anew, and write over what is there."""
    write_checkpoint(tmp_path, ARRAYS, {}, step=7)

    def refuse(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    for ask in (has_checkpoint, read_newest_checkpoint):
        with pytest.raises(PermissionError):
            ask(tmp_path)
    with pytest.raises(WriteError, match="checkpoint of step 8.*before is intact"):
        write_checkpoint(tmp_path, ARRAYS, {}, step=8)
