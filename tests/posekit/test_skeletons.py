import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.skeletons import (
    COCO,
    DEFAULT_SIGMA,
    MDPN_UNION,
    MPII,
    POSETRACK,
    POSETRACK_FILE,
    Skeleton,
    common_name,
    index_map,
    load_skeleton,
    remap_keypoints,
    save_skeleton,
    skeleton_from_category,
    union,
)

BUILT_IN = [COCO, MPII, POSETRACK, POSETRACK_FILE, MDPN_UNION]
COCO_LIMBS = [
    [16, 14],
    [14, 12],
    [17, 15],
    [15, 13],
    [12, 13],
    [6, 12],
    [7, 13],
    [6, 7],
    [6, 8],
    [7, 9],
] + [[8, 10], [9, 11], [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7]]


@pytest.mark.parametrize(
    ("skeleton", "count", "places"),
    [
        (COCO, 17, {"nose": 0, "left_eye": 1, "right_shoulder": 6, "right_ankle": 16}),
        (MPII, 16, {"right_ankle": 0, "pelvis": 6, "neck": 8, "right_wrist": 10, "left_wrist": 15}),
        (POSETRACK, 15, {"right_ankle": 0, "left_ankle": 5, "left_wrist": 11, "neck": 12}),
        (POSETRACK, 15, {"nose": 13, "head_top": 14, "right_wrist": 6, "left_shoulder": 9}),
        (POSETRACK_FILE, 17, {"neck": 1, "head_top": 2, "left_ear": 3, "right_ankle": 16}),
        (MDPN_UNION, 21, {"neck": 17, "head_top": 18, "pelvis": 19, "thorax": 20}),
    ],
)
def test_keypoints_stand_where_the_field_has_them(skeleton, count, places):
    assert skeleton.num_keypoints == count
    assert {name: skeleton.names.index(name) for name in places} == places


@pytest.mark.parametrize("skeleton", BUILT_IN, ids=lambda s: s.name)
def test_flip_swaps_left_with_right_and_nothing_else(skeleton):
    for name, partner in zip(skeleton.names, skeleton.flip, strict=True):
        swapped = name.replace("left", "*").replace("right", "left").replace("*", "right")
        assert skeleton.names[partner] == swapped
    joined = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(skeleton.flip[end] for end in limb) for limb in joined} == joined


@pytest.mark.parametrize(
    ("skeleton", "sigmas"),
    [
        (COCO, {"nose": 0.026, "left_eye": 0.025, "right_hip": 0.107, "left_ankle": 0.089}),
        (MPII, {"left_knee": 0.083, "pelvis": 0.026, "right_shoulder": 0.179, "neck": 0.026}),
        (POSETRACK, {"neck": 0.025, "nose": 0.026, "left_shoulder": 0.079, "right_knee": 0.087}),
        (POSETRACK_FILE, {"head_top": 0.025, "left_ear": 0.035, "left_wrist": 0.062}),
        (MDPN_UNION, {"left_knee": 0.087, "neck": 0.025, "thorax": 0.026}),  # first one wins
    ],
)
def test_sigmas_are_the_published_ones(skeleton, sigmas):
    table = dict(zip(skeleton.names, skeleton.sigmas, strict=True))
    assert {name: table[name] for name in sigmas} == sigmas


def test_coco_sigmas_are_those_of_pycocotools():
    from pycocotools.cocoeval import Params

    np.testing.assert_allclose(COCO.sigmas, Params("keypoints").kpt_oks_sigmas, atol=1e-12)


def test_index_map_by_hand():
    # PoseTrack's first three are ankle, knee, hip of the right side: 16, 14, 12 in COCO's order.
    assert index_map(COCO, POSETRACK).tolist()[:3] == [16, 14, 12]
    assert index_map(COCO, POSETRACK).tolist()[12:] == [-1, 0, -1]
    assert index_map(COCO, POSETRACK).dtype == np.int64


@pytest.mark.parametrize("skeleton", [COCO, MPII, POSETRACK, POSETRACK_FILE], ids=lambda s: s.name)
def test_there_and_back_through_the_union_changes_nothing(skeleton):
    rng = np.random.default_rng(0)
    keypoints = rng.normal(size=(4, skeleton.num_keypoints, 3)).astype(np.float32)
    wide = remap_keypoints(keypoints, skeleton, MDPN_UNION)
    assert wide.shape == (4, 21, 3) and wide.dtype == np.float32
    absent = index_map(skeleton, MDPN_UNION) < 0
    assert absent.sum() == 21 - skeleton.num_keypoints and not wide[:, absent].any()
    np.testing.assert_array_equal(remap_keypoints(wide, MDPN_UNION, skeleton), keypoints)
    assert remap_keypoints(keypoints[:0], skeleton, MDPN_UNION).shape == (0, 21, 3)


def test_flipping_commutes_with_mapping():
    keypoints = np.random.default_rng(1).normal(size=(2, 16, 3))
    first = remap_keypoints(keypoints[:, MPII.flip], MPII, POSETRACK)
    then = remap_keypoints(keypoints, MPII, POSETRACK)[:, POSETRACK.flip]
    np.testing.assert_array_equal(first, then)


def test_keypoints_of_another_skeleton_are_refused():
    with pytest.raises(ValueError, match=r"expected keypoints \(N, 17, 3\).*received \(2, 15, 3\)"):
        remap_keypoints(np.zeros((2, 15, 3)), COCO, POSETRACK)


def test_union_keeps_a_limb_once_whatever_its_direction():
    a = Skeleton("a", ("nose", "neck"), ((0, 1),), (0, 1), (0.1, 0.2))
    b = Skeleton("b", ("neck", "nose", "tail"), ((0, 1), (0, 2)), (0, 1, 2), (0.3, 0.4, 0.5))
    both = union(a, b, name="both")
    assert both == Skeleton(
        "both", ("nose", "neck", "tail"), ((0, 1), (1, 2)), (0, 1, 2), (0.1, 0.2, 0.5)
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("head_bottom", "neck"),
        ("upper neck", "neck"),
        ("r_ankle", "right_ankle"),
        ("l-wrist", "left_wrist"),
        ("Left Eye", "left_eye"),
        ("head top", "head_top"),
        ("Left Paw", "Left Paw"),  # not ours: left alone
        ("l_paw", "l_paw"),
    ],
)
def test_names_of_files_become_ours(given, expected):
    assert common_name(given) == expected


def test_coco_category_gives_the_coco_skeleton():
    category = {"name": "coco", "keypoints": list(COCO.names), "skeleton": COCO_LIMBS}
    assert skeleton_from_category(category) == COCO


def test_categories_of_real_files(shared):
    def category(path):
        return json.loads((shared / "data" / path).read_text())["categories"][0]

    real = skeleton_from_category(category("coco_small/annotations/person_keypoints_val.json"))
    assert (real.names, real.limbs, real.flip) == (COCO.names, COCO.limbs, COCO.flip)
    path = "formats/posetrack18/annotations/test_posetrack18_val.json"
    posetrack = skeleton_from_category(category(path))
    assert (posetrack.names, posetrack.flip) == (POSETRACK_FILE.names, POSETRACK_FILE.flip)
    assert posetrack.sigmas == POSETRACK_FILE.sigmas
    with pytest.warns(UserWarning, match="1-based indices up to 14"):  # COCO's 17 limbs for 14
        crowdpose = skeleton_from_category(category("formats/crowdpose/test_crowdpose.json"))
    assert crowdpose.num_keypoints == 14 and crowdpose.names[-2:] == ("head", "neck")
    joined = {frozenset(crowdpose.names[end] for end in limb) for limb in crowdpose.limbs}
    assert {"left_knee", "left_ankle"} in joined and {"left_shoulder", "neck"} in joined


def test_own_category_pairs_sides_and_defaults_its_sigmas():
    names = ["tail", "L_Paw", "R_Paw", "medial_right_bow", "medial_left_bow", "left_eye", "r_eye"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dog = skeleton_from_category({"name": "dog", "keypoints": names, "skeleton": [[1, 2]]})
    assert dog.flip == (0, 2, 1, 4, 3, 6, 5)
    assert dog.limbs == ((0, 1),)
    assert dog.sigmas == (DEFAULT_SIGMA,) * 5 + (0.025, 0.025)


@pytest.mark.parametrize(
    ("category", "message"),
    [
        ({"name": "dog"}, "category 'dog': keypoints: expected a list of names"),
        ({"name": "dog", "keypoints": ["neck", "head_bottom"]}, r"repeated \['neck'\]"),
        ({"name": "dog", "keypoints": ["left_paw", "tail"]}, "'left_paw': expected a partner"),
        ({"name": "dog", "keypoints": ["a", "b"], "skeleton": [[1]]}, "skeleton: expected pairs"),
        ({"name": "dog", "keypoints": ["a", "b"], "skeleton": 3}, "skeleton: expected pairs"),
    ],
)
def test_category_errors_name_the_field(category, message):
    with pytest.raises(ValueError, match=message):
        skeleton_from_category(category)


@pytest.mark.parametrize("skeleton", BUILT_IN, ids=lambda s: s.name)
def test_yaml_round_trip(skeleton, tmp_path):
    save_skeleton(tmp_path / "s.yaml", skeleton)
    assert load_skeleton(tmp_path / "s.yaml") == skeleton


def test_yaml_takes_indices_and_fills_in(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nkeypoints: [tail, left_paw, right_paw]\nlimbs: [[0, right_paw]]\n")
    expected = Skeleton(
        "s", ("tail", "left_paw", "right_paw"), ((0, 2),), (0, 2, 1), (DEFAULT_SIGMA,) * 3
    )
    assert load_skeleton(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keypoints: [a, a]", r"no name twice.*repeated \['a'\]"),
        ("keypoints: []", "at least one keypoint"),
        ("keypoints: [a, no]", "quotes"),
        ("keypoints: [a, b]\nlimbs: [[0, 2]]", r"limb 0: .*below 2, received \(0, 2\)"),
        ("keypoints: [a, b]\nlimbs: [[0, -1]]", "limb 0"),
        ("keypoints: [a, b]\nlimbs: [[1, 1]]", "limb 0: expected two different"),
        ("keypoints: [a, b]\nlimbs: [[a, c]]", "limbs: expected names out of .*received 'c'"),
        ("keypoints: [a, b]\nlimbs: {a: b}", "limbs: expected a list"),
        ("keypoints: [a, b, c]\nflip: [1, 2, 0]", "involution.*'a' -> 1"),
        ("keypoints: [a, b]\nflip: [0]", "flip: expected 2 indices"),
        ("keypoints: [a, b]\nflip: [0, 5]", "involution"),
        ("keypoints: [a, b]\nsigmas: [0.1, 0]", "sigmas: expected positive.*received 0 for 'b'"),
        ("keypoints: [a, b]\nsigmas: [0.1, -.1]", "sigmas: expected positive"),
        ("keypoints: [a, b]\nsigmas: [0.1, .nan]", "sigmas: expected positive"),
        ("keypoints: [a, b]\nsigmas: [0.1, .inf]", "sigmas: expected positive"),
        ("keypoints: [a, b]\nsigmas: [0.1, x]", "sigmas: expected positive"),
        ("keypoints: [a, b]\nsigmas: [0.1]", "sigmas: expected 2 numbers, received 1"),
        ("keypoints: [a, b]\nsigma: [0.1, 0.1]", "received .*'sigma'"),
        ("keypoints: &a [*a]", "without aliases"),
        ("keypoints: [a", "s.yaml: while parsing"),
        ("keypoints: !!python/object/apply:os.system [true]", "could not determine a constructor"),
    ],
)
def test_yaml_errors_name_file_and_field(text, message, tmp_path):
    (tmp_path / "s.yaml").write_text(f"name: s\n{text}\n")
    with pytest.raises(ValueError, match=message) as caught:
        load_skeleton(tmp_path / "s.yaml")
    assert str(caught.value).startswith(str(tmp_path / "s.yaml"))


@settings(max_examples=40)
@given(st.lists(st.sampled_from(MDPN_UNION.names), min_size=1, unique=True), st.data())
def test_index_map_finds_every_name(names, data):
    others = data.draw(st.permutations(MDPN_UNION.names))

    def plain(words):
        return Skeleton("s", tuple(words), (), tuple(range(len(words))), (0.1,) * len(words))

    indices = index_map(plain(others), plain(names))
    assert [others[index] for index in indices] == names
