import struct
import zlib

import numpy as np
import pytest
from scipy import io

from posekit.datasets.mat_files import MatFileError, read_mat, variable_names

CONTENT = {
    "numbers": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "one": np.array([[7.5]]),
    "whole": np.array([[1, 2, 300]], np.int32),
    "flags": np.array([[True, False]]),
    "text": "left ankle",
    "nothing": np.zeros((0, 3)),
    "complex": np.array([[1 + 2j]]),
}


@pytest.mark.parametrize("packed", [False, True])
def test_every_kind_of_value(tmp_path, packed):
    names = np.empty((1, 2), object)
    names[0] = ["nose", "ear"]
    people = np.array([(1.5, "a"), (2.5, "b")], [("x", object), ("name", object)])
    alone = {"point": {"x": np.array([3.0, 4.0]), "more": {"y": -1}}}
    content = CONTENT | {"names": names, "people": people, "alone": alone}
    io.savemat(tmp_path / "a.mat", content, do_compression=packed)
    assert variable_names(tmp_path / "a.mat") == list(content)
    found = read_mat(tmp_path / "a.mat")
    for name in ("numbers", "whole", "flags", "nothing"):
        np.testing.assert_array_equal(found[name], CONTENT[name])
    assert found["numbers"].dtype == np.float32 and found["whole"].dtype == np.int32
    assert found["one"] == 7.5 and found["text"] == "left ankle" and found["complex"] is None
    assert found["names"] == ["nose", "ear"]
    assert found["people"] == [{"x": 1.5, "name": "a"}, {"x": 2.5, "name": "b"}]
    (point,) = found["alone"][0]["point"]
    assert point["x"].tolist() == [[3, 4]] and point["more"] == [{"y": -1}]
    assert list(read_mat(tmp_path / "a.mat", ("text",))) == ["text"]


def test_the_other_byte_order(tmp_path):
    """A 1 x 2 matrix of doubles called "ab", written by hand."""
    head = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 2)
    name = struct.pack(">HH4s", 2, 1, b"ab")
    body = head + name + struct.pack(">II2d", 9, 16, 0.5, -3.0)
    file = b" " * 124 + b"\1\0MI" + struct.pack(">II", 14, len(body)) + body
    (tmp_path / "big.mat").write_bytes(file)
    assert read_mat(tmp_path / "big.mat")["ab"].tolist() == [[0.5, -3.0]]


def matrix(kind, shape, content):
    shape = struct.pack(f"<{len(shape)}i", *shape)
    head = struct.pack("<IIII", 6, 8, kind, 0) + struct.pack("<II", 5, len(shape)) + shape
    body = head + struct.pack("<II", 1, 0) + content
    return struct.pack("<II", 14, len(body)) + body


NUMBER = struct.pack("<IId", 9, 8, 1.0)


def nested(depth):
    inner = matrix(6, (1, 1), NUMBER)
    for _ in range(depth):
        inner = matrix(1, (1, 1), inner)
    return inner


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0" * 4, "the end of the file"),
        (struct.pack("<II", 14, 1 << 31), "longer than its holder"),
        (struct.pack("<II", 9, 8) + b"\0" * 8, "type 9 where a variable should be"),
        (matrix(6, (2, 2), NUMBER), "1 numbers where 4 should be"),
        (matrix(6, (1, 1), struct.pack("<II", 9, 0)), "0 bytes of type 9"),
        (matrix(6, (-1, 1), NUMBER), "axes"),
        (matrix(1, (1 << 20, 1 << 10), NUMBER), "no room for them"),
        (matrix(2, (1 << 20, 1 << 10), struct.pack("<IIi", 5, 4, 0)), "the end of the file"),
        (nested(100), "nested deeper than 32"),
        (struct.pack("<II", 15, 4) + b"abcd", "decompressing"),
        (struct.pack("<II", 15, 20) + zlib.compress(bytes(1000))[:10] + bytes(10), "received: "),
    ],
)
def test_damage_is_an_error(tmp_path, content, message):
    (tmp_path / "bad.mat").write_bytes(b" " * 124 + b"\0\1IM" + content)
    with pytest.raises(MatFileError, match=rf"bad\.mat: expected a whole MATLAB.*{message}"):
        read_mat(tmp_path / "bad.mat")


def test_random_damage_is_an_error_or_a_value(tmp_path):
    # SciPy's reader ends the process on a few of such files.
    point = np.array([(1, 2, 3)] * 3, [("x", object), ("y", object), ("id", object)])
    rest = {"numbers": np.arange(6.0)}
    io.savemat(tmp_path / "a.mat", {"A": {"people": point, "name": "abc"}} | rest)
    whole = (tmp_path / "a.mat").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(128, len(whole), 3):
            damaged[place] = rng.integers(256)
        (tmp_path / "b.mat").write_bytes(damaged)
        try:
            read_mat(tmp_path / "b.mat")
        except MatFileError:
            refused += 1
    assert 50 < refused < 300
