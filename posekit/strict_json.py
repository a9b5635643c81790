"""JSON by one set of strict rules; files are replaced whole or not.

Python's own reader takes what no other program does (NaN, infinity, 1e999, which becomes infinity)
and lets the later of two equal keys win; here these are errors. Files are UTF-8, with or without a
byte order mark, and of at most `MAX_BYTES`.
"""

import json
import math
from pathlib import Path
from typing import Any

from posekit.atomic_files import write_file
from posekit.regular_files import check_regular

MAX_BYTES = 1 << 30
"""Largest accepted file; COCO's largest annotation file has 449 million bytes."""


class _RepeatedKey(dict):
    """An object whose file gave a key twice; only lives until the error names its place."""

    key = ""


class NotStrictError(ValueError):
    """A value that Python reads, but the rules of this module do not allow."""


class StrictDecoder(json.JSONDecoder):
    """Parses JSON text; `raw_decode` and `decode` also raise NotStrictError, with the place.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        # What is wrong stays in the value until all is read, so good files are read fast.
        self._suspicious: list[str] = []
        super().__init__(**_hooks(self._suspicious))

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        """Returns the value that starts at `idx`, and where it ends."""
        self._suspicious.clear()
        value, end = super().raw_decode(s, idx)
        if self._suspicious:
            raise NotStrictError(_fault(value))
        return value, end


def read_text(path: Path) -> str:
    """Reads a whole file as UTF-8; errors leave its name to the caller.

    Raises:
        ValueError: it is larger than `MAX_BYTES` (and is then not read), or of another encoding.
        OSError: it cannot be read, or is a pipe or device.
    """
    check_regular(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise NotStrictError(f"expected at most {MAX_BYTES} bytes, received {size}")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotStrictError(f"expected UTF-8, {error.reason} at byte {error.start}") from None


def read_json(path: str | Path) -> Any:
    """Reads a JSON file, refusing what Python would take silently.

    Args:
        path: of a UTF-8 file, with or without a byte order mark.

    Returns:
        The value; every number in it is finite.

    Raises:
        ValueError: naming the file, the place in it and the reason: cut or nested too deeply, NaN,
            Infinity or a number too large for a float, a key twice in one object, over `MAX_BYTES`.
        OSError: when the file cannot be read.
    """
    try:
        return StrictDecoder().decode(read_text(Path(path)))
    except NotStrictError as error:
        raise ValueError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, received: {error}") from error


def write_json(path: str | Path, value: Any) -> None:
    """Writes JSON to a temporary file beside the target and renames it, so no half file remains.

    Args:
        path: of the file to make or to replace.
        value: of dicts, lists, text, Python numbers, booleans and None; every number finite.

    Raises:
        ValueError: naming the file and the place of a number that is not finite, or of a value that
            JSON has no form for (turn arrays into lists with `.tolist()`).
        OSError: when the disk is full or the folder cannot be written; the old file is untouched.
    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        reason = _fault(value) if "Out of range" in str(error) else error
        raise ValueError(f"{path}: not written: {reason}") from error
    write_file(path, text)


def _hooks(suspicious: list[str]) -> dict[str, Any]:
    """Keeps what is wrong in the value and notes that there is some."""

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            suspicious.append(text)
        return value

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        keys = [key for key, _ in pairs]
        value = _RepeatedKey(value)
        value.key = next(key for key in keys if keys.count(key) > 1)
        suspicious.append(value.key)
        return value

    return {"parse_float": number, "parse_constant": number, "object_pairs_hook": object_of}


def _fault(value: Any) -> str:
    """Describes the first non-finite number or repeated key, with its place."""
    waiting = [("", value)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, _RepeatedKey):
            return f"{_entry(place)}: expected every key once, received {value.key!r} twice"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{_entry(place)}: expected a finite number, received {value}"
        if isinstance(value, dict):
            waiting += [(f"{place}.{key}", item) for key, item in reversed(value.items())]
        elif isinstance(value, (list, tuple)):
            waiting += [(f"{place}[{i}]", item) for i, item in reversed(list(enumerate(value)))]
    return "a key is a number that is not finite"


def _entry(place: str) -> str:
    """Turns "[3].score" into "entry 3, field score"; leaves other places as they are."""
    head, _, field = place.partition(".")
    if head.startswith("[") and head.endswith("]") and head.count("[") == 1:
        return f"entry {head[1:-1]}" + (f", field {field}" if field else "")
    return place.lstrip(".") or "the top level"
