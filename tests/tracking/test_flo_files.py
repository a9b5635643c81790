import struct

import numpy as np
import pytest

from posekit.frames import Frame
from tracking.flo_files import FloError, FloFolder, read_flo, write_flo
from tracking.flow_field import Flow


def some_flow(size=(3, 5), reliable=None):
    return Flow(np.random.default_rng(1).normal(0, 9, (*size, 2)), reliable)


def test_bytes_of_a_file(tmp_path):
    write_flo(tmp_path / "a.flo", Flow([[[1.5, -2], [0, 3]]]))
    content = (tmp_path / "a.flo").read_bytes()
    assert content == b"PIEH" + struct.pack("<ii4f", 2, 1, 1.5, -2, 0, 3)
    rows = [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]]  # 2 high, 3 wide
    write_flo(tmp_path / "a.flo", Flow(rows))
    assert (tmp_path / "a.flo").read_bytes()[4:] == struct.pack("<ii12f", 3, 2, *range(1, 13))
    assert struct.unpack("<f", content[:4])[0] == 202021.25  # the number that Middlebury names


def test_round_trip_is_exact(tmp_path):
    flow = some_flow()
    write_flo(tmp_path / "a.flo", flow)
    back = read_flo(tmp_path / "a.flo")
    np.testing.assert_array_equal(back.vectors, flow.vectors)
    assert back.reliable is None and back.size == (3, 5)


def test_unknown_pixels_are_not_reliable(tmp_path):
    reliable = np.ones((3, 5), bool)
    reliable[1, 2] = False
    flow = some_flow(reliable=reliable)
    write_flo(tmp_path / "a.flo", flow)
    back = read_flo(tmp_path / "a.flo")
    np.testing.assert_array_equal(back.reliable, reliable)
    np.testing.assert_array_equal(back.vectors[reliable], flow.vectors[reliable])
    np.testing.assert_array_equal(back.vectors[1, 2], [0, 0])


def flo(width, height, numbers):
    return b"PIEH" + struct.pack("<ii", width, height) + np.array(numbers, "<f4").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with PIEH"),
        (b"PIEH\1\0", "starts with PIEH"),
        (b"HEIP" + flo(1, 1, [0, 0])[4:], "starts with PIEH"),
        (flo(2, 1, [0, 0, 0]), "received 24 with width 2 and height 1; it is cut"),
        (flo(1, 1, [0, 0, 0]), "received 24 with width 1 and height 1"),
        (flo(2**31 - 1, 2**31 - 1, [0, 0]), "received 20 with width 2147483647"),
        (flo(-1, -1, [0, 0]), "width -1 and height -1"),
        (flo(0, 5, []), "width 0"),
        (flo(1, 1, [np.nan, 0]), "received NaN"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    (tmp_path / "a.flo").write_bytes(content)
    with pytest.raises(FloError, match=message):
        read_flo(tmp_path / "a.flo")


@pytest.fixture
def folder(tmp_path):
    for name, value in {"000000": 0, "000001": 1, "street7": 7}.items():
        write_flo(tmp_path / f"{name}.flo", Flow(np.full((4, 6, 2), value)))
    return tmp_path


def frame(index, name="", size=(4, 6)):
    return Frame(np.zeros((*size, 3), np.uint8), index, name=name)


def test_a_folder_by_index_and_by_name(folder):
    assert FloFolder(folder)(frame(1), frame(2)).vectors.max() == 1
    # Pictures called 000001, 000002, ...: their names are not their indices.
    pair = frame(0, "000001.jpg"), frame(1, "000002.jpg")
    assert FloFolder(folder)(*pair).vectors.max() == 0
    assert FloFolder(folder, "name")(*pair).vectors.max() == 1
    assert FloFolder(folder, "name")(frame(5, "street7.png"), frame(6)).vectors.max() == 7


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (frame(0), frame(2, "c.jpg"), r"received 0 \(4x6\) and 2 'c.jpg' \(4x6\)"),
        (frame(1), frame(0), r"received 1 \(4x6\) and 0"),
        (frame(0), frame(1, size=(6, 4)), r"of its size.*\(4x6\) and 1 \(6x4\)"),
        (frame(2), frame(3), "found none at .*000002.flo"),
        (frame(0, size=(8, 6)), frame(1, size=(8, 6)), r"size of frame 0 \(8x6\), received 4x6"),
    ],
)
def test_what_a_folder_does_not_hold_is_named(folder, first, second, message):
    with pytest.raises(FloError, match=message):
        FloFolder(folder)(first, second)


def test_a_missing_folder_or_name_is_named(folder):
    with pytest.raises(FloError, match="found none at"):
        FloFolder(folder / "absent")
    with pytest.raises(FloError, match="frame 0 has no name"):
        FloFolder(folder, "name")(frame(0), frame(1))
