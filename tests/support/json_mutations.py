"""Damaged copies of JSON texts: bytes that are lost, doubled or changed, absurd values."""

import copy
import json
import re
from typing import Any

import numpy as np

ABSURD = (
    *("null", "true", "false", '""', '"a"', '"\\u0000"', '"../../x"', "[]", "{}", "[[]]", "[null]"),
    *("0", "-1", "0.5", "3", "1e9", "-1e9", "1e308", "9223372036854775807", "9223372036854775808"),
    *(
        "-9223372036854775809",
        "1" + "0" * 400,
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "2147483648",
    ),
    *('{"a":1}', "[0,0,0]", "[1e308,1e308,1e308,1e308]", "[[1,2],[3]]", '"NaN"', "[" * 3000),
)
"""JSON texts, and what Python takes for such, to put in the place of a value."""
_PLACE = "@absurd@"


def mutated(rng: np.random.Generator, text: str) -> bytes:
    """Returns a damaged copy of a JSON text, or of lines of such; a third of them by bytes."""
    if rng.random() < 1 / 3:
        return _by_bytes(rng, text.encode())
    lines = text.splitlines() if _lines(text) else [text]
    row = rng.integers(len(lines))
    lines[row] = _by_values(rng, json.loads(lines[row]))
    return "\n".join(lines).encode()


def _lines(text: str) -> bool:
    return text.startswith('{"format"')


def _by_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    at, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    end = min(end, at + int(2 ** rng.uniform(0, 8)))
    piece = data[at:end]
    changed = bytes(byte ^ (1 << int(rng.integers(8))) for byte in piece)
    noise = rng.integers(0, 256, len(piece), np.uint8).tobytes()
    inner = (b"", piece * 2, changed, noise, b"\xef\xbb\xbf", b"[", b"}", b'"')
    if rng.random() < 0.15:
        return data[:at]
    return data[:at] + inner[rng.integers(len(inner))] + data[end:]


def _by_values(rng: np.random.Generator, value: Any) -> str:
    """Replaces, scales, removes or doubles up to three values anywhere in the tree."""
    value = copy.deepcopy(value)
    for _ in range(rng.integers(1, 4)):
        places = list(_places(value))
        if places:
            _spoil(rng, *places[rng.integers(len(places))])
    return re.sub(f'"{_PLACE}"', lambda _: ABSURD[rng.integers(len(ABSURD))], json.dumps(value))


def _spoil(rng: np.random.Generator, parent: list | dict, key: int | str) -> None:
    kind = rng.random()
    if kind < 0.4:
        parent[key] = _PLACE
    elif type(parent[key]) in (int, float):
        scaled = parent[key] * 10 ** rng.uniform(-3, 6) * rng.choice([-1, 1])
        parent[key] = type(parent[key])(scaled)
    elif kind < 0.7:
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        parent[f"{key}x"] = parent[key]


def _places(value: Any):
    """(container, key) of every value below the top one."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])
