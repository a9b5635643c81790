import dataclasses
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from posekit.checkpoints import write_checkpoint
from posekit.loop.runs import (
    RunError,
    check_writable,
    hidden_path,
    opened_run,
    plain_settings,
    recipe_differences,
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe as scripts have them."""

    data: Path = Path("/home/someone/data/coco")
    epochs: int = 3
    size: tuple[int, int] = (480, 480)
    rate: float = 1e-3


def settings(**changes):
    return plain_settings({"recipe": Recipe(**changes)})


def test_recipe_file_has_the_resolved_recipe_and_no_machine_paths(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/home/someone/x.py", "r50", "--data=/home/someone/coco"])
    with opened_run(tmp_path / "run", settings()):
        pass
    content = json.loads((tmp_path / "run" / "recipe.json").read_text())
    hashed = hashlib.sha256(b"/home/someone/data/coco").hexdigest()[:16]
    assert content["settings"]["recipe"] == {
        "data": f".../coco (sha256 of the path {hashed})",
        "epochs": 3,
        "size": [480, 480],
        "rate": 0.001,
    }
    assert content["command"] == ["x.py", "r50", "--data=.../coco"]
    assert content["packages"]["numpy"] and content["packages"]["python"]
    assert "someone" not in json.dumps(content) and str(tmp_path) not in json.dumps(content)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("/a/b/c", ".../c"),
        ("--data=~/x/coco", "--data=.../coco"),
        ("/a=b/c", ".../c"),
        ("data/coco", "data/coco"),
        ("--rate=0.1", "--rate=0.1"),
    ],
)
def test_hidden_path(text, shown):
    assert hidden_path(text) == shown


def test_second_run_in_one_folder_is_refused_while_the_first_lives(tmp_path):
    script = (
        "import sys; from posekit.loop.runs import *\n"
        "try:\n    with opened_run(sys.argv[1], {}): print('opened')\n"
        "except RunError as error: print(error)"
    )

    def other_process():
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with opened_run(tmp_path, {}):
        assert "is training in" in other_process()
    assert other_process() == "opened\n"


def test_a_folder_is_the_same_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a" / "coco").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    ways = [Path("a/coco"), tmp_path / "a/coco", str(tmp_path / "a/coco"), "~/a/coco"]
    ways += [Path("a/../link/coco")]
    assert len({settings(data=way)["recipe"]["data"] for way in ways}) == 1
    assert settings(data=tmp_path / "b/coco") != settings(data=tmp_path / "a/coco")


def test_another_folder_of_the_same_name_is_refused_unless_it_may_change(tmp_path, capsys):
    with opened_run(tmp_path, settings(data=Path("/mnt/a/coco"))):
        write_checkpoint(tmp_path / "checkpoints", {}, {}, 1)
    other = settings(data=Path("/mnt/b/coco"))
    with pytest.raises(RunError, match="recipe.data: .*/coco .* -> .*/coco "):
        with opened_run(tmp_path, other):
            pass
    with opened_run(tmp_path, other, may_change=("data",)):
        assert "recipe.data" in capsys.readouterr().err


def test_a_run_without_checkpoint_binds_nobody(tmp_path):
    with pytest.raises(MemoryError), opened_run(tmp_path, settings(rate=0.1)):
        raise MemoryError
    with opened_run(tmp_path, settings(rate=0.2)):
        write_checkpoint(tmp_path / "checkpoints", {}, {}, 1)
    with pytest.raises(RunError, match="rate: 0.2 -> 0.3"):
        with opened_run(tmp_path, settings(rate=0.3)):
            pass


@pytest.mark.parametrize("content", [None, b"[]", b'{"settings": [1]}', b"[" * 100_000, b"\xff"])
def test_a_recipe_that_is_lost_lets_nobody_go_on_unasked(tmp_path, content):
    """Its checkpoints may be those of another rate."""
    with opened_run(tmp_path, settings()):
        write_checkpoint(tmp_path / "checkpoints", {}, {}, 1)
    path = tmp_path / "recipe.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(RunError, match="recipe.json to be JSON with the settings.*put it back"):
        with opened_run(tmp_path, settings(rate=0.2)):
            pass
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000001-step-1"]


def test_changed_recipe_is_refused_with_the_difference(tmp_path, capsys):
    with opened_run(tmp_path, settings()):
        write_checkpoint(tmp_path / "checkpoints", {}, {}, 1)
    with opened_run(tmp_path, settings(epochs=5)):
        assert "recipe.epochs: 3 -> 5" in capsys.readouterr().err
    before = (tmp_path / "recipe.json").read_bytes()
    with pytest.raises(RunError) as error, opened_run(tmp_path, settings(rate=0.1, epochs=6)):
        pass
    assert "recipe.rate: 0.001 -> 0.1" in str(error.value)
    assert "recipe.epochs: 5 -> 6" in str(error.value)
    assert (tmp_path / "recipe.json").read_bytes() == before


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="expected a folder that can be written"):
        with opened_run(tmp_path / "file" / "run", {}):
            pass
    with pytest.raises(RunError, match="choose another"), opened_run("/proc/run", {}):
        pass


@pytest.mark.parametrize("name", ["checkpoints", "pictures", "tensorboard", ".lock"])
def test_parts_of_a_folder_that_cannot_be_written_are_found_before_the_first_step(tmp_path, name):
    (tmp_path / name).mkdir() if name == ".lock" else (tmp_path / name).write_text("")
    with pytest.raises(RunError, match="expected a folder that can be written"):
        with opened_run(tmp_path, {}):
            pass


@pytest.fixture
def nobody():
    """A folder, and this process as a user whom permissions bind, which they do not root."""
    folder, user = Path(tempfile.mkdtemp()), os.geteuid()
    try:
        if user == 0:
            os.chown(folder, 65534, -1)
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["checkpoints", "pictures", "tensorboard"])
def test_a_part_without_permission_is_found_before_the_first_step(nobody, name):
    with opened_run(nobody, {}):
        pass
    (nobody / name).chmod(0o555)
    with pytest.raises(RunError, match=f"{name} .Permission denied.*choose another"):
        with opened_run(nobody, {}):
            pass


def test_a_disk_without_locks_is_not_taken_for_another_run(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(RunError, match="a disk that can lock files.*No locks available"):
        with opened_run(tmp_path, {}):
            pass


def test_a_folder_is_tried_before_it_is_made(tmp_path):
    check_writable(tmp_path / "not" / "yet")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file/run .*choose another"):
        check_writable(tmp_path / "file" / "run")
    with pytest.raises(RunError, match="expected a folder that can be written"):
        check_writable("/proc/run")


def test_half_written_files_of_a_killed_run_are_removed(tmp_path):
    with opened_run(tmp_path, {}):
        pass
    (tmp_path / ".tmp-77-last.keras").write_text("half")
    (tmp_path / "checkpoints" / ".tmp-77-000001-step-5").mkdir()
    with opened_run(tmp_path, {}):
        assert not list(tmp_path.rglob(".tmp-*"))


def test_differences_are_named_by_their_path():
    before, now = {"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": [3]}}
    assert recipe_differences(before, now) == {"a.d": (None, [3]), "a.c": (2, None)}
    assert recipe_differences(before, before) == {}
