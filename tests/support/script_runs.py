"""Scripts run in this process, which spares the import of TensorFlow; and their help."""

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "keras"}
"""What must not be imported before it is needed."""


class Done(NamedTuple):
    """What a script left; an exception that it does not answer for passes on to the test."""

    code: int
    out: str
    err: str


def run_script(name: str, *words) -> Done:
    """Runs scripts/NAME.py with the words of a command line."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = [f"scripts/{name}.py", *map(str, words)]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = before
    return Done(code, out.getvalue(), err.getvalue())


def help_at_once(name: str, *words) -> str:
    """The help of a script in a process of its own, which imports nothing of `HEAVY` for it.

    That is what makes it answer at once: importing TensorFlow alone takes longer than all else.
    """
    command = [sys.executable, "-X", "importtime", f"scripts/{name}.py", *map(str, words), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "posekit" in imported and not imported & HEAVY
    return done.stdout
