"""JSON files whose lists grow item by item, so that memory does not grow with them."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from posekit.atomic_files import replaced_file


class JsonList:
    """A JSON list in an open text file; made by the functions of this module."""

    def __init__(self, file: TextIO):
        self._file = file
        self._before = "["

    def append(self, item: Any) -> None:
        """Adds one item.

        Raises:
            ValueError: a number in it is not finite.
            OSError: the disk is full.
        """
        text = json.dumps(item, allow_nan=False, separators=(",", ":"))
        self._file.write(self._before + text)
        self._before = ",\n"

    def end(self) -> None:
        """Closes the list, not the file."""
        self._file.write("[]" if self._before == "[" else "]")


@contextlib.contextmanager
def json_list(path: Path | str) -> Iterator[JsonList]:
    """Yields a list to append to, which becomes the file `path` at the end.

    On an error `path` stays as it was.

    Raises:
        OSError: as `posekit.atomic_files.replaced_file`.
    """
    with _opened(path) as file:
        items = JsonList(file)
        yield items
        items.end()


@contextlib.contextmanager
def json_object(
    path: Path | str, head: dict[str, Any], names: Sequence[str]
) -> Iterator[dict[str, JsonList]]:
    """Yields lists to append to in any order, which become the file `path` at the end.

    Args:
        path: of the file to make or to replace; on an error it stays as it was.
        head: keys with values that are not lists to grow.
        names: keys of the lists, in their order in the file after those of `head`.

    Raises:
        OSError: as `posekit.atomic_files.replaced_file`.
    """
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in names]
        lists = {name: JsonList(file) for name, file in zip(names, files, strict=True)}
        yield lists
        out = stack.enter_context(_opened(path))
        out.write(json.dumps(head, allow_nan=False, separators=(",", ":"))[:-1])
        comma = "," if head else ""
        for (name, items), file in zip(lists.items(), files, strict=True):
            items.end()
            file.seek(0)
            out.write(f"{comma}\n{json.dumps(name)}:")
            comma = ","
            shutil.copyfileobj(file, out)
        out.write("}")


@contextlib.contextmanager
def _opened(path: Path | str) -> Iterator[TextIO]:
    with replaced_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file
