"""Reads COCO JSON files strictly and piece by piece.

A file of all COCO train2017 has 240 MB; as Python objects it takes six times that. So the large
lists are handed out one item at a time, and an error names the item and its place in the file.
What is allowed in an item, and the largest file, are those of `posekit.strict_json`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from posekit.strict_json import StrictDecoder, read_text

_SPACE = re.compile(r"[ \t\n\r]*")


def iterate_items(path: Path, lists: tuple[str, ...]) -> Iterator[tuple[str, str, object]]:
    """Walks over the top level of a JSON object, opening up the lists of interest.

    Args:
        path: UTF-8 JSON file, with or without a byte order mark.
        lists: keys whose value must be a list of objects; it is handed out item by item.

    Yields:
        (key, place, value): an item of a list, with a place such as "annotations[7]", or the
        whole value of any other key, whose place is the key.

    Raises:
        ValueError: what is wrong, with place, line and column; the caller names the file.
    """
    reader = _Reader(path)
    reader.expect("{")
    seen = set()
    while reader.peek() != "}":
        if seen:
            reader.expect(",")
        key = reader.value("a key")
        if not isinstance(key, str) or key in seen:
            reader.fail(f"expected a new key, received {key!r:.60}", reader.start)
        seen.add(key)
        reader.expect(":")
        yield from _items(reader, key) if key in lists else [(key, key, reader.value(key))]
    reader.expect("}")
    if reader.peek():
        reader.fail("expected the end of the file after the closing brace")


def _items(reader: "_Reader", key: str) -> Iterator[tuple[str, str, object]]:
    reader.expect("[")
    count = 0
    while reader.peek() != "]":
        if count:
            reader.expect(",")
        place = f"{key}[{count}]"
        item = reader.value(place)
        if not isinstance(item, dict):
            reader.fail(f"{place}: expected an object, received {item!r:.60}", reader.start)
        yield key, place, item
        count += 1
    reader.expect("]")


class _Reader:
    """A position in the text of one JSON file."""

    def __init__(self, path: Path):
        self.text = read_text(path)
        self.position = 0
        self.start = 0
        self.decoder = StrictDecoder()

    def peek(self) -> str:
        """Skips white space and returns the next character, "" at the end."""
        self.position = _SPACE.match(self.text, self.position).end()
        return self.text[self.position : self.position + 1]

    def expect(self, character: str) -> None:
        if self.peek() != character:
            received = repr(self.peek()) if self.peek() else "the end of the file (is it cut?)"
            self.fail(f"expected {character!r}, received {received}")
        self.position += 1

    def value(self, place: str) -> object:
        """Parses one value; `start` stays at its first character."""
        self.peek()
        self.start = self.position
        try:
            value, self.position = self.decoder.raw_decode(self.text, self.position)
        except json.JSONDecodeError as error:
            cut = error.pos >= len(self.text) - 1 or error.msg.startswith("Unterminated")
            hint = " (is the file cut?)" if cut else ""
            self.fail(f"{place}: {error.msg}{hint}", error.pos)
        except RecursionError:
            self.fail(f"{place}: nested too deeply")
        except ValueError as error:
            self.fail(f"{place}: {error}")
        return value

    def fail(self, message: str, position: int | None = None) -> None:
        position = self.position if position is None else position
        line = self.text.count("\n", 0, position) + 1
        column = position - self.text.rfind("\n", 0, position)
        raise ValueError(f"{message} (line {line}, column {column})") from None
