import numpy as np
import pytest

from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic_domain_folder import write_domain
from posekit.datasets.synthetic_domains import DOMAINS, annotated_keypoints, developed
from posekit.skeletons import MDPN_UNION, MPII, POSETRACK


def person() -> np.ndarray:
    """(1, 21, 3): all at (0, 0) and seen but a few."""
    keypoints = np.zeros((1, 21, 3), np.float32)
    keypoints[..., 2] = 2
    places = {"left_hip": (60, 100), "right_hip": (40, 100), "left_shoulder": (70, 50)}
    places |= {"left_elbow": (90, 50), "left_wrist": (100, 60)}
    for name, place in places.items():
        keypoints[0, MDPN_UNION.names.index(name), :2] = place
    return keypoints


def test_annotators_have_rules_of_their_own():
    mpii = annotated_keypoints(person(), DOMAINS["mpii"])[0]
    # 0.35 of the way from the other hip beyond the own, and 0.12 of that to the shoulder:
    # (60, 100) + 0.35 (20, 0) + 0.12 (10, -50)
    np.testing.assert_allclose(mpii[MPII.names.index("left_hip")], [68.2, 94, 2], rtol=1e-5)
    np.testing.assert_allclose(mpii[MPII.names.index("left_shoulder")], [72.4, 50, 2], rtol=1e-5)
    posetrack = annotated_keypoints(person(), DOMAINS["posetrack"])[0]
    # 0.3 of the forearm beyond the wrist: (100, 60) + 0.3 (10, 10)
    np.testing.assert_allclose(posetrack[POSETRACK.names.index("left_wrist")], [103, 63, 2])
    np.testing.assert_array_equal(posetrack[POSETRACK.names.index("left_hip")], [60, 100, 2])
    coco = annotated_keypoints(person(), DOMAINS["coco"])[0]
    np.testing.assert_array_equal(coco, person()[0, :17])


def test_a_keypoint_whose_rule_lacks_a_point_is_not_annotated():
    keypoints = person()
    keypoints[0, MDPN_UNION.names.index("left_elbow")] = 0
    posetrack = annotated_keypoints(keypoints, DOMAINS["posetrack"])[0]
    assert not posetrack[POSETRACK.names.index("left_wrist")].any()
    assert posetrack[POSETRACK.names.index("right_wrist"), 2] == 2


def test_looks():
    image = np.full((4, 4, 3), 100, np.uint8)
    np.testing.assert_array_equal(developed(image, DOMAINS["coco"]), image)
    # (100 - 128) 1.3 + 128 = 91.6, 14 warmer
    np.testing.assert_array_equal(developed(image, DOMAINS["mpii"])[0, 0], [106, 92, 78])


@pytest.mark.parametrize("name", DOMAINS)
def test_folders_are_coco_folders_and_the_same_again(tmp_path, name):
    files = [write_domain(tmp_path / f, name, "val", 5, side=64) for f in ("one", "other")]
    assert files[0].read_bytes() == files[1].read_bytes()
    one, other = (load_coco(tmp_path / folder, "val") for folder in ("one", "other"))
    assert one.skeleton.names == DOMAINS[name].skeleton.names and len(one) == 5
    for i in range(5):
        assert one.path(i).read_bytes() == other.path(i).read_bytes()
    assert (one.index.keypoints[..., 2] > 0).any()


def test_pictures_of_a_video_show_one_scene(tmp_path):
    write_domain(tmp_path, "posetrack", "val", 8, side=64)
    dataset = load_coco(tmp_path, "val")
    colours = np.array([dataset.image(i).mean((0, 1)) for i in range(8)])
    within = np.abs(np.diff(colours, axis=0))[[0, 1, 2, 4, 5, 6]].max()
    assert within < np.abs(colours[3] - colours[4]).max()  # the fifth is of another video
