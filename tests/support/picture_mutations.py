"""Damaged copies of picture files: bits, bytes and pieces, often in the header."""

import zlib

import numpy as np

_MARKERS = [b"\xff" + bytes([code]) for code in (0xC0, 0xC2, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDB)]
_PNG = b"\x89PNG\r\n\x1a\n"


def mutated(rng: np.random.Generator, data: bytes) -> bytes:
    """Returns a copy with one to three faults; of half the PNGs the checksums fit again."""
    for _ in range(rng.integers(1, 4)):
        data = _spoilt(rng, data)
    return _with_checksums(data) if rng.random() < 0.5 and data.startswith(_PNG) else data


def _spoilt(rng: np.random.Generator, data: bytes) -> bytes:
    # Half of the faults lie among the first bytes, where the header is.
    longest = len(data) if rng.random() < 0.5 else min(len(data), 200)
    at = int(rng.integers(longest + 1))
    length = int(2 ** rng.uniform(0, 8))
    piece = data[at : at + length]
    kind = rng.random()
    if kind < 0.08:
        return data[:at]
    if kind < 0.16:
        return data[:at] + data[at + length :]
    if kind < 0.24:
        return data[:at] + piece * 2 + data[at + length :]
    if kind < 0.32:
        return data[:at] + _MARKERS[rng.integers(len(_MARKERS))] + data[at + 2 :]
    if kind < 0.5:
        extreme = rng.choice([b"\0", b"\xff", b"\x80", b"\x7f"]) * int(rng.integers(1, 5))
        return data[:at] + extreme + data[at + len(extreme) :]
    if kind < 0.75:
        flipped = bytes(byte ^ (1 << int(rng.integers(8))) for byte in piece[:2])
        return data[:at] + flipped + data[at + len(flipped) :]
    return data[:at] + rng.integers(0, 256, len(piece), np.uint8).tobytes() + data[at + length :]


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they now hold, as far as they are whole."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        parts += [data[at:end], zlib.crc32(data[at + 4 : end]).to_bytes(4)]
        at = end + 4
    return b"".join([*parts, data[at:]])[: len(data)]
