"""What the scripts make of a command line, without running it."""

import contextlib
import functools
import runpy
import sys
from pathlib import Path
from unittest import mock

import pytest
import tyro

from multiposenet.ledger_rows import PAPERS as MULTIPOSENET
from posekit.ledger import expand
from topdown.ledger_rows import PAPERS as TOPDOWN
from tracking.ledger_rows import PAPERS as TRACKING

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
ROWS = [row for paper in (*MULTIPOSENET, *TOPDOWN, *TRACKING) for row in paper.rows]
COMMANDS = list(dict.fromkeys(command for row in ROWS for command in row.commands))
TRAININGS = [command for command in COMMANDS if command.startswith("train_")]


class Parsed(Exception):
    """Ends a script as soon as it has read its command line."""


@functools.cache
def main_of(script):
    return runpy.run_path(str(SCRIPTS / script), run_name="ledger")["main"]


def parse(command):
    """Returns what a script makes of the words of a command, recipes with the options put in."""
    script, *words = expand(command)

    def ending(read):
        def stop(*args, **options):
            raise Parsed(read(*args, **options))

        return stop

    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(sys, "argv", [script, *words]))
        for owner, name in ((tyro, "cli"), (tyro.extras, "overridable_config_cli")):
            read = ending(getattr(owner, name))
            patches.enter_context(mock.patch.object(owner, name, read))
        with pytest.raises(Parsed) as parsed:
            main_of(script)()
    return parsed.value.args[0]


def recipes_of(script):
    """The table of recipes that a training script chooses from."""
    return next(
        value
        for name, value in main_of(script).__globals__.items()
        if name.endswith("_RECIPES") and isinstance(value, dict)
    )
