"""The run folder: one run at a time, made with the recipe that it says."""

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath

from posekit.atomic_files import remove_unfinished, write_file
from posekit.checkpoints import has_checkpoint

PACKAGES = ("posekit", "keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless")
RECIPE, LOCK = "recipe.json", ".lock"
CHECKPOINTS, PICTURES, TENSORBOARD = "checkpoints", "pictures", "tensorboard"


class RunError(ValueError):
    """The run folder cannot be used: not writable, in use, or made with another recipe."""

    exit_code = 2


@contextlib.contextmanager
def opened_run(
    run_dir: Path | str, settings: dict, may_change: Sequence[str] = ("epochs",)
) -> Iterator[Path]:
    """Makes or reopens a run folder, locks it against a second run and writes recipe.json.

    Args:
        run_dir: made if absent, with checkpoints/, pictures/ and tensorboard/ inside.
        settings: what decides the result; compared with the earlier ones where the folder has a
            checkpoint made with them. From `plain_settings`.
        may_change: names (the last part of a dotted name) that may differ, such as epochs.

    Yields:
        The folder; the lock is held until the context ends or the process dies.

    Raises:
        RunError: not writable; another process holds the lock; settings differ or are lost.
    """
    run_dir = Path(run_dir)
    folders = [run_dir, *(run_dir / name for name in (CHECKPOINTS, PICTURES, TENSORBOARD))]
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            check_writable(folder)
        lock = open(run_dir / LOCK, "a+")
    except OSError as error:
        raise _not_writable(run_dir, error) from error
    with lock:
        _take_lock(lock, run_dir)
        for folder in folders:
            remove_unfinished(folder)
        _check_recipe(run_dir, settings, may_change)
        _write_recipe(run_dir, settings)
        yield run_dir


def check_writable(run_dir: Path | str) -> None:
    """Tries to write where a run folder is, or would be made; leaves nothing there.

    Raises:
        RunError: that is not possible.
    """
    run_dir = Path(run_dir).absolute()
    folder = next(path for path in (run_dir, *run_dir.parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _not_writable(run_dir, error) from error


def plain_settings(settings: object) -> dict:
    """Turns a recipe (dataclass or dict) into JSON values.

    Of a path, the last name is kept and a hash of the whole of it, with links followed: the same
    folder gives the same text however it is written, another one of that name another text.
    """
    if dataclasses.is_dataclass(settings):
        settings = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    return {str(name): _plain(value) for name, value in (settings or {}).items()}


def recipe_differences(before: dict, now: dict) -> dict[str, tuple[object, object]]:
    """Compares two nested dicts: dotted name -> (before, now) where they differ."""
    before, now = _flat(before), _flat(now)
    names = [*now, *(name for name in before if name not in now)]
    pairs = {name: (before.get(name), now.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def read_settings(run_dir: Path) -> dict:
    """Reads what `opened_run` wrote into recipe.json.

    Raises:
        RunError: it is not there, or something else.
    """
    path = run_dir / RECIPE
    try:
        settings = json.loads(path.read_bytes())["settings"]
        if not isinstance(settings, dict) or not isinstance(settings.get("recipe"), dict):
            raise ValueError(f"{settings!r:.60}")
        return settings
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            f"expected {path} to be JSON with the settings of the checkpoints, received: {error}; "
            "put it back, or choose another run folder"
        ) from error


def hidden_path(text: str) -> str:
    """Shortens absolute paths, also behind "=", ":" and ",": "coco:/home/x/a" -> "coco:.../a"."""
    return _without_paths(text, lambda path: f".../{PurePath(path).name}")


def _not_writable(run_dir: Path, error: OSError) -> RunError:
    return RunError(
        f"expected a folder that can be written, received {run_dir} ({error.strerror}); "
        "choose another or change its permissions"
    )


def _take_lock(lock, run_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise RunError(
            f"expected a run folder of our own, but process {lock.read().strip()} is training in "
            f"{run_dir}; wait for it, stop it, or choose another folder"
        ) from error
    except OSError as error:
        raise RunError(
            f"expected a disk that can lock files, received {run_dir} ({error.strerror}); choose "
            "a folder on another one"
        ) from error
    try:
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    except OSError as error:
        raise RunError(f"expected room in {run_dir}, received: {error.strerror}") from error


def _check_recipe(run_dir: Path, settings: dict, may_change: Sequence[str]) -> None:
    if not has_checkpoint(run_dir / CHECKPOINTS):
        return  # a run that failed before its first checkpoint binds nobody
    differences = recipe_differences(read_settings(run_dir), settings)
    lines = [f"  {name}: {old!r} -> {new!r}" for name, (old, new) in differences.items()]
    if not lines:
        return
    if all(name.split(".")[-1] in may_change for name in differences):
        print("\n".join([f"resuming {run_dir.name} with:", *lines]), file=sys.stderr)
        return
    raise RunError(
        "\n".join(
            [
                f"expected the recipe that {run_dir} was started with, received another:",
                *lines,
                "go back to the first values, or choose another run folder",
            ]
        )
    )


def _write_recipe(run_dir: Path, settings: dict) -> None:
    content = {
        "settings": settings,
        "packages": _package_versions(),
        "git_commit": _git_commit(),
        "command": [PurePath(sys.argv[0]).name, *map(hidden_path, sys.argv[1:])],
    }
    write_file(run_dir / RECIPE, json.dumps(content, indent=1) + "\n")


def _package_versions() -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _git_commit() -> str | None:
    """Commit of the source, with "+changes" where files differ; None outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"]
    try:
        folder = Path(__file__).parent
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _plain(value: object) -> object:
    if isinstance(value, dict) or dataclasses.is_dataclass(value):
        return plain_settings(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return _hashed_path(str(value))
    if isinstance(value, str):
        return _without_paths(value, _hashed_path)
    if isinstance(value, (bool, int, float, type(None))):
        return value
    return value.item() if hasattr(value, "item") else getattr(value, "name", repr(value))


def _without_paths(text: str, shorten: Callable[[str], str]) -> str:
    """Replaces absolute paths, which say whose machine it is."""
    if text.startswith(("/", "~")):
        return shorten(text)
    return re.sub("(?<=[=:,])[/~][^,]*", lambda match: shorten(match[0]), text)


def _hashed_path(text: str) -> str:
    path = os.path.realpath(os.path.expanduser(text))
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
    return f".../{PurePath(path).name} (sha256 of the path {digest[:16]})"


def _flat(settings: dict, prefix: str = "") -> dict:
    flat = {}
    for name, value in settings.items():
        flat |= (
            _flat(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {f"{prefix}{name}": value}
        )
    return flat
