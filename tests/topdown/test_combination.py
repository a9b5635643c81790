import numpy as np
import pytest

from posekit.skeletons import COCO, MPII, POSETRACK, Skeleton
from topdown.combination import (
    PAPER,
    Combination,
    CombinationError,
    HeadCombiner,
    interpolate_head,
)

HEADS = {"coco": COCO, "mpii": MPII, "posetrack": POSETRACK}
NOSE, NECK, TOP, ANKLE = (
    POSETRACK.names.index(n) for n in ("nose", "neck", "head_top", "left_ankle")
)


def maps_of(value):
    """One cell, whose channels are 100, 200, 300 by head plus the place of the keypoint."""
    heads = zip((100, 200, 300), HEADS.items(), strict=True)
    cells = {n: value + base + np.arange(s.num_keypoints) for base, (n, s) in heads}
    return {name: np.float32(cell)[None, None, None] for name, cell in cells.items()}


def combined(combination):
    return HeadCombiner(combination, HEADS).maps(maps_of(0))[0, 0, 0]


# Places: nose 0, left_ankle 15 in COCO; neck 8, head_top 9, left_ankle 5 in MPII; PoseTrack's own.
@pytest.mark.parametrize(
    ("row", "nose", "neck", "top", "ankle"),
    [
        ("posetrack", 300 + NOSE, 300 + NECK, 300 + TOP, 300 + ANKLE),
        ("coco+posetrack", 100, 300 + NECK, 300 + TOP, 115),
        ("A", 100, 208, 209, 115),
        ("B", (400 + NOSE) / 2, (508 + NECK) / 2, (509 + TOP) / 2, (620 + ANKLE) / 3),
    ],
)
def test_rows_of_the_paper(row, nose, neck, top, ankle):
    values = combined(PAPER[row])
    assert values.shape == (15,)
    np.testing.assert_allclose(values[[NOSE, NECK, TOP, ANKLE]], [nose, neck, top, ankle])


def test_the_head_is_interpolated_where_no_head_has_it():
    combiner = HeadCombiner(PAPER["coco"], HEADS)
    assert len(combiner.present) == 13 and not {NECK, TOP} & set(combiner.present)
    found = np.zeros((2, 15, 3), np.float32)
    names = list(POSETRACK.names)
    left, right = names.index("left_shoulder"), names.index("right_shoulder")
    found[:, NOSE] = 50, 20, 0.9
    found[:, left], found[:, right] = (60, 40, 0.8), (30, 44, 0.6)
    found[1, right] = 0
    keypoints = combiner.keypoints(found[:, combiner.present])
    np.testing.assert_allclose(keypoints[0, NECK], [45, 42, 0.6], rtol=1e-6)
    np.testing.assert_allclose(keypoints[0, TOP], [55, -2, 0.6], rtol=1e-6)  # nose + (nose - neck)
    np.testing.assert_array_equal(keypoints[1, [NECK, TOP]], 0)  # one shoulder is missing
    others = np.delete(np.arange(15), [NECK, TOP])
    np.testing.assert_array_equal(keypoints[:, others], found[:, others])
    half = interpolate_head(keypoints[:1], POSETRACK, head_top=0.5)
    np.testing.assert_allclose(half[0, TOP, :2], [52.5, 9])
    # A head that has the points keeps them.
    full = HeadCombiner(Combination("first", ("mpii",), head="interpolate"), HEADS)
    assert full.keypoints(np.full((1, 14, 3), 0.5))[0, [NECK, TOP]].tolist() == [[0.5] * 3] * 2


def test_without_interpolation_the_head_is_not_found():
    combiner = HeadCombiner(Combination("first", ("coco",)), HEADS)
    keypoints = combiner.keypoints(np.ones((1, 13, 3)))
    assert not keypoints[0, [NECK, TOP]].any() and keypoints[..., 2].sum() == 13


def test_any_heads_give_any_skeleton():
    hand = Skeleton("hand", ("wrist", "tip"), (), (0, 1), (0.1, 0.1))
    wanted = Skeleton("wanted", ("tip", "pelvis", "nose"), (), (0, 1, 2), (0.1,) * 3)
    combiner = HeadCombiner(Combination("vote", (), wanted), {"hand": hand, "coco": COCO})
    maps = {"hand": np.float32([[[[1, 2]]]]), "coco": maps_of(0)["coco"]}
    np.testing.assert_array_equal(combiner.maps(maps)[0, 0, 0], [2, 100])
    assert combiner.present.tolist() == [0, 2]
    with pytest.raises(CombinationError, match="of 'wanted'"):
        HeadCombiner(Combination("first", ("legs",), wanted), {"legs": MPII_LEGS})


MPII_LEGS = Skeleton("legs", MPII.names[:2], (), (0, 1), MPII.sigmas[:2])


def test_one_head_is_passed_on_as_it_is():
    maps = maps_of(0)
    assert HeadCombiner(Combination("first", ("coco",), COCO), HEADS).maps(maps) is maps["coco"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "mean"}, "kind: expected one of first, vote, received 'mean'"),
        ({"head": "guess"}, "head: expected one of none, interpolate"),
        ({"domains": ("coco", "coco")}, "each head once, received coco, coco"),
    ],
)
def test_other_words_are_refused(fields, message):
    with pytest.raises(CombinationError, match=message):
        Combination(**fields)
