"""Scripts run in this process, which spares the import of TensorFlow."""

import contextlib
import io
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


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
