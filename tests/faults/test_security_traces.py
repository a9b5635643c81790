"""S8: what runs, predictions, evaluations and tracks leave names no home and no environment."""

import io
import os
import zipfile

import pytest
from script_runs import run_script
from tiny_networks import joined
from tiny_topdown import random_network
from training_scripts import TINY, run_here

from posekit.datasets.synthetic import write_coco
from posekit.loop.runs import hidden_path, plain_settings

SECRET = "hunter2-of-the-environment"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a data set, in which all is done; its path is long and its own."""
    home = tmp_path / "homes" / "jane.doe"
    write_coco(home / "coco", "val", 3, size=(48, 64))
    random_network().save(home / "net.keras")
    joined().save(home / "joined.keras")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    monkeypatch.chdir(home)
    yield home
    monkeypatch.undo()


def traces(folder):
    """Files that name a home or what is in the environment, packed ones looked into."""
    words = ["jane.doe", SECRET, os.environ["PATH"], "WANDB_API_KEY", "LD_LIBRARY_PATH"]
    words = [word.encode() for word in words]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for name, content in contents(path.name, path.read_bytes()):
            found = [word.decode() for word in words if word in content]
            if found:
                yield f"{path.relative_to(folder)} {name}: {found}"


def contents(name, data):
    yield "", data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from ((member, archive.read(member)) for member in archive.namelist())


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in TINY if name != "prn"]


@pytest.mark.parametrize("training", ["prn", *SLOW])
def test_s8_a_training_leaves_no_trace_of_its_home(training, home, capfd):
    words = {
        "topdown": ("--datasets", f"coco:{home / 'coco'}", "--backbone-weights", "none"),
        "keypoint": (f"--data={home / 'coco'}", "--name", "tiny"),
        "ssd": ("--datasets", f"coco:{home / 'coco'}"),
        "detector": ("--keypoint-run", home / "run/tiny/best.keras"),
        "prn": ("--data", home / "coco"),
    }[training]
    words += () if training == "detector" else SPLITS[training]
    if training == "detector":
        assert run_here("keypoint", home / "run", "--epochs", 1) == 0
    assert run_here(training, home / "out", "--epochs", 1, *words) == 0
    assert (home / "out/tiny/recipe.json").stat().st_size > 500
    assert list(traces(home / "out")) == []


SPLITS = dict.fromkeys(TINY, ("--train-split", "val", "--val-split", "val"))


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "coco/val", "--model", "joined.keras", "--as-annotations"),
        ("track", "coco/val", "--model", "joined.keras"),
        pytest.param(("export", "net.keras"), marks=pytest.mark.slow),
    ],
)
def test_s8_results_leave_no_trace_of_their_home(words, home):
    name, *words = [home / word if (home / word).exists() else word for word in words]
    done = run_script(name, *words, "--output", home / "out")
    assert done.code == 0, done
    assert len([path for path in (home / "out").rglob("*") if path.is_file()]) > 1
    assert list(traces(home / "out")) == []


def test_s8_an_evaluation_as_json_leaves_no_trace_of_its_home(home):
    words = ("--data", home / "coco", "--split", "val", "--boxes", "gt", "--json")
    done = run_script("eval_coco", home / "net.keras", *words)
    assert done.code == 0 and len(done.out) > 500, done
    (home / "out").mkdir()
    (home / "out" / "figures.json").write_text(done.out)
    assert list(traces(home / "out")) == []


@pytest.mark.parametrize(
    ("word", "hidden"),
    [
        *(("/home/jane/coco", ".../coco"), ("--data=/home/jane/coco", "--data=.../coco")),
        *(("coco:/home/jane/coco", "coco:.../coco"), ("~jane/coco", ".../coco")),
        *(("--datasets=coco:/home/jane/coco", "--datasets=coco:.../coco"), ("0.5", "0.5")),
        *(("coco:~/coco", "coco:.../coco"), ("runs/a=b", "runs/a=b"), ("a:b", "a:b")),
        *(("file:///home/jane/coco", "file:.../coco"), ("/", ".../")),
        *(("coco=/home/jane/a,mpii=/home/jane/b", "coco=.../a,mpii=.../b"),),
        *(("file:///home/jane/coco", "file:.../coco"), ("~/a b/c d", ".../c d")),
    ],
)
def test_s8_absolute_paths_on_the_command_line_are_shortened(word, hidden):
    assert hidden_path(word) == hidden
    assert "jane" not in str(plain_settings({"option": word}))
