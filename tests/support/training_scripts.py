"""The five training scripts with tiny recipes, in this process or in one of their own."""

import atexit
import contextlib
import csv
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEOPLE = ("--synthetic.train", 8, "--synthetic.val", 3, "--synthetic.people", 1, 2)
PICTURES = (*PEOPLE, "--batch-size", 4, "--eval-images", 3)
TINY = {
    "prn": (*PEOPLE, "--synthetic-side", 64, "--nodes", 8, "--rank", 4, "--batch-size", 4),
    "keypoint": (*PICTURES, "--patch-size", 64, "--fpn-depth", 8, "--depth", 4),
    "detector": (*PICTURES, "--shorter-edge", 64, "--longer-edge", 96, "--depth", 8),
    "topdown": (*PICTURES, "--filters", 8, "--size", 32, 32),
    "ssd": (*PICTURES, "--width", 4),
}
"""Name of the training -> words of its tiny run, of two steps an epoch."""
HELD = """
import os, runpy, sys, time
(number, go, support), sys.argv = sys.argv[1:4], sys.argv[4:]
sys.path.insert(0, support)
from training_scripts import after_validation, changed_fit
def hold():
    while not os.path.exists(go):
        time.sleep(0.02)
with changed_fit(after_validation(int(number), hold)):
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
RECIPES = {"ssd": "ssd-demo"}
RUN_NAME = "tiny"


def words_of(training: str, output: Path, *words) -> list[str]:
    """Script and arguments of a tiny run in OUTPUT/tiny; epochs of two steps."""
    script = f"scripts/train_{training}.py"
    fixed = ("--output", output, "--name", RUN_NAME, "--epoch-steps", 2)
    return [script, RECIPES.get(training, "demo"), *map(str, (*TINY[training], *fixed, *words))]


def run_here(training: str, output: Path, *words) -> int:
    """Runs a training in this process, which spares the import of TensorFlow; its exit code."""
    before, sys.argv = sys.argv, words_of(training, output, *words)
    try:
        runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    finally:
        sys.argv = before
    return 0


def start(command: Sequence[str], log: Path) -> subprocess.Popen:
    """Starts words of `words_of`, or any others for Python, writing all they say to a file."""
    with log.open("a") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)},
            stdout=file,
            stderr=file,
        )
    atexit.register(process.kill)  # where a test fails before it ends
    return process


def start_held(number: int, words: Sequence[str], log: Path) -> subprocess.Popen:
    """Starts words of `words_of`; validation NUMBER, counted from 1, lasts until a signal comes.

    So the training cannot have ended before this process does something, however slow it is. A file
    "go" beside the log lets it go on as well.
    """
    held = "-c", HELD, str(number), str(log.with_name("go")), str(Path(__file__).parent)
    return start((*held, *words), log)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen, log: Path) -> None:
    """Waits until something holds of a running process; fails where it ends or takes too long."""
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.02)


def run_dir(output: Path) -> Path:
    """Run folder of `words_of`."""
    return output / RUN_NAME


def rows(output: Path) -> list[dict[str, str]]:
    """Rows of log.csv; none where there is no such file yet."""
    path = run_dir(output) / "log.csv"
    return list(csv.DictReader(path.open())) if path.exists() else []


def contents(folder: Path) -> dict[str, bytes]:
    """Relative path -> bytes of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@contextlib.contextmanager
def changed_fit(change) -> Iterator[None]:
    """Within, the scripts call `posekit.training.fit` with arguments that `change` has changed.

    Args:
        change: (dict of all arguments, among them model, losses and load) -> None.
    """
    from posekit import training

    original = training.fit

    def fit(model, losses, load, **options):
        arguments = {"model": model, "losses": losses, "load": load, **options}
        change(arguments)
        return original(**arguments)

    training.fit = fit
    try:
        yield
    finally:
        training.fit = original


def after_validation(number: int, action) -> Callable[[dict], None]:
    """Change for `changed_fit`: calls `action` within validation NUMBER, counted from 1."""

    def change(arguments):
        validate, calls = arguments["validate"], []

        def wrapped(model):
            figures = validate(model)
            calls.append(None)
            if len(calls) == number:
                action()
            return figures

        arguments["validate"] = wrapped

    return change
