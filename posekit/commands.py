"""From the command line to a recipe: named recipes, each field an option."""

import errno
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro

from posekit.atomic_files import TEMPORARY_PREFIX
from posekit.requirements import check_versions


def recipe_from_command_line(
    recipes: dict[str, tuple[str, Any]], description: str, args: list[str] | None = None
) -> tuple[str, Any]:
    """Picks a recipe by its name and overrides its fields.

    Args:
        recipes: name -> (one line about it, the recipe, a frozen dataclass).
        description: text at the top of `--help`.
        args: words of the command line; those of this process when None. Without a name, the
            first recipe is taken, so that a script runs with no argument at all.

    Returns:
        name: of the chosen recipe.
        recipe: with the fields that the command line overrides.

    A wrong name or value prints what was expected and exits with code 2.
    """
    args = list(sys.argv[1:] if args is None else args)
    names_help = args[:1] in (["--help"], ["-h"])
    if not names_help and (not args or args[0].startswith("-")):
        args.insert(0, next(iter(recipes)))
    recipe = tyro.extras.overridable_config_cli(recipes, args=args, description=description)
    return args[0], recipe


class UsageError(ValueError):
    """Options of a command that cannot work together, or that name what is not there."""

    exit_code = 2


def check_output(option: str, path: Path) -> None:
    """Refuses a file that cannot be written, before the work whose result it is to hold.

    Raises:
        UsageError: naming the option: no folder of it, or none to write into; or it is a folder.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        trial = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UsageError(
            f"{option}: expected a file in a folder that exists and can be written, received "
            f"{path}: {error.strerror}"
        ) from None


def make_folder(option: str, path: Path) -> None:
    """Makes the folder for the results of the work that follows, where it is missing.

    Raises:
        UsageError: naming the option: it cannot be made, or nothing be written into it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise UsageError(
            f"{option}: expected a folder that can be made and written, received {path}: "
            f"{error.strerror}"
        ) from None


def run(main: Callable[[], int | None]) -> None:
    """Runs a script's main function and exits with its code, unless packages are out of date.

    An exception whose class says an `exit_code` (2 for rejected input, 1 for a training that cannot
    go on) ends with its message alone, and so does, with code 1, what the system answers (no room,
    no permission); any other one is a fault of the program and shows its traceback. Ctrl-C: 130.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Names of files need be no text; to print them must not cost the exit code.
            stream.reconfigure(errors="backslashreplace")
    try:
        check_versions()
        sys.exit(main())
    except KeyboardInterrupt:
        print(f"{Path(sys.argv[0]).name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        from_system = isinstance(error, OSError) and error.errno is not None
        code = getattr(error, "exit_code", 1 if from_system else None)
        if code is None:
            raise
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(code)
