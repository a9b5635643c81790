import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posekit.heatmaps import encode_heatmaps, find_peaks


def grid(height, width, cells, num_keypoints=1):
    """Maps (height, width, K) of zeros with {(column, row): value} in channel 0."""
    maps = np.zeros((height, width, num_keypoints), np.float32)
    for (x, y), value in cells.items():
        maps[y, x, 0] = value
    return maps


def test_peaks_by_hand():
    maps = grid(6, 8, {(0, 0): 0.5, (7, 5): 0.7, (3, 2): 0.9, (4, 2): 0.8, (3, 5): 0.05}, 2)
    peaks = find_peaks(maps, 4, threshold=0.1, max_peaks=4, offset="none")
    assert peaks.shape == (2, 4, 3) and peaks.dtype == np.float32
    expected = [[12, 8, 0.9], [28, 20, 0.7], [0, 0, 0.5], [0, 0, 0]]  # border peaks count
    np.testing.assert_allclose(peaks[0], expected)
    assert peaks[1].max() == 0
    np.testing.assert_allclose(find_peaks(maps, 4, 0.1, 2, "none")[0], expected[:2])
    moved = find_peaks(maps, 4, 0.1, 4, "sign")
    np.testing.assert_allclose(moved[0, :3, :2], [[13, 8], [28, 20], [0, 0]])


def test_constant_maps_give_one_peak():
    peaks = find_peaks(np.ones((64, 48, 17), np.float32), 4, max_peaks=5)
    expected = np.zeros((17, 5, 3))
    expected[:, 0, 2] = 1
    np.testing.assert_array_equal(peaks, expected)


def test_plateaus_give_one_peak_and_shelves_none():
    y, x = np.mgrid[:20, :20]
    disc = ((x - 10) ** 2 + (y - 10) ** 2 <= 16).astype(np.float32)
    slope = np.minimum(x // 5, 2).astype(np.float32) + (x == 19) * (y == 19)
    two = np.zeros((20, 20), np.float32)
    two[2:4, 2:4] = two[12, 12] = two[13, 13] = 0.5
    peaks = find_peaks(np.stack([disc, slope, two], -1), 1, 0.1, 9, "none")
    assert peaks[0, :2].tolist() == [[10, 6, 1], [0, 0, 0]]
    assert peaks[1, :2].tolist() == [[19, 19, 3], [0, 0, 0]]
    assert peaks[2, :3].tolist() == [[2, 2, 0.5], [12, 12, 0.5], [0, 0, 0]]


def peaks_by_flooding(plane):
    """The first cells of the plateaus above 0 without a higher neighbour, by flood fill."""
    found, seen = [], set()
    for start in np.ndindex(plane.shape):
        if start in seen or plane[start] <= 0:
            continue
        plateau, queue, highest = {start}, [start], True
        while queue:
            y, x = queue.pop()
            for cell in np.ndindex(3, 3):
                cell = (y + cell[0] - 1, x + cell[1] - 1)
                if not (0 <= cell[0] < plane.shape[0] and 0 <= cell[1] < plane.shape[1]):
                    continue
                highest &= bool(plane[cell] <= plane[start])
                if plane[cell] == plane[start] and cell not in plateau:
                    plateau.add(cell)
                    queue.append(cell)
        seen |= plateau
        found += [(start[1], start[0])] if highest else []
    return found


@given(arrays(np.int8, (7, 6, 2), elements=st.integers(0, 3)))
@settings(max_examples=80)
def test_peaks_equal_flooding(maps):
    peaks = find_peaks(maps.astype(np.float32), 1, 0, 42, "none")
    for k in range(2):
        found = {(int(x), int(y)) for x, y, score in peaks[k] if score > 0}
        assert found == set(peaks_by_flooding(maps[..., k]))


@pytest.mark.parametrize("offset, largest", [("none", 0.5), ("sign", 0.25), ("parabola", 0.01)])
def test_peaks_invert_encode_for_many_people(offset, largest):
    places = np.stack(np.meshgrid([40.0, 121.3, 199.9], [42.1, 120.7, 202.2]), -1).reshape(9, 1, 2)
    people = np.concatenate([places, np.ones((9, 1, 1))], -1)
    peaks = find_peaks(encode_heatmaps(people, (256, 256), 4), 4, 0.5, 20, offset)[0]
    assert np.count_nonzero(peaks[:, 2]) == 9
    distance = np.abs(peaks[:9, None, :2] - people[None, :, 0, :2]).max(axis=-1)
    assert distance.min(axis=0).max() <= 4 * largest + 1e-3


def test_parabola_stays_within_half_a_cell():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(30, 30, 4)).astype(np.float32)  # negative neighbours too
    moved = find_peaks(maps, 1, 0, 99, "parabola") - find_peaks(maps, 1, 0, 99, "none")
    assert np.isfinite(moved).all() and np.abs(moved).max() <= 0.5


def test_peaks_refuse_bad_arguments():
    maps = np.zeros((4, 4, 1), np.float32)
    for keywords, message in (
        ({"threshold": -0.1}, "threshold >= 0"),
        ({"offset": "second_peak"}, "parabola"),
    ):
        with pytest.raises(ValueError, match=message):
            find_peaks(maps, 4, **keywords)
    with pytest.raises(ValueError, match="one image"):
        find_peaks(maps[None], 4)
    maps[3, 3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        find_peaks(maps, 4)
