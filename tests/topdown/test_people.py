import numpy as np
import pytest

from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.skeletons import COCO, MPII
from topdown.people import labelled_people, mixed


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("people")
    for name, skeleton, images in (("coco", COCO, 6), ("mpii", MPII, 3)):
        options = {"size": (96, 128), "people": (1, 3), "heights": (0.6, 1), "skeleton": skeleton}
        write_coco(root / name, "train", images, **options)
    return [load_coco(root / name, "train") for name in ("coco", "mpii")]


def test_every_labelled_person_has_a_row(folders):
    people = labelled_people(folders)
    assert people.keypoints.shape[1:] == (17, 3)
    for row in range(len(people)):
        dataset = folders[people.dataset[row]]
        known = dataset.annotations(people.image[row])
        (place,) = np.flatnonzero((known["boxes"] == people.boxes[row]).all(axis=1))
        width = dataset.skeleton.num_keypoints
        np.testing.assert_array_equal(people.keypoints[row, :width], known["keypoints"][place])
        assert not people.keypoints[row, width:].any()
    labelled = [
        (d.annotations(i)["keypoints"][..., 2] > 0).any(1) for d in folders for i in range(len(d))
    ]
    assert len(people) == np.concatenate(labelled).sum() > 9


def test_people_of_a_picture_share_a_group(folders):
    people = labelled_people(folders)
    same = people.groups[:, None] == people.groups
    pairs = np.stack([people.dataset, people.image], axis=1)
    np.testing.assert_array_equal(same, (pairs[:, None] == pairs).all(axis=2))


def test_keypoints_are_mapped_by_name(folders):
    ours = labelled_people(folders[1:], [COCO])
    own = labelled_people(folders[1:])
    name = MPII.names.index("left_knee"), COCO.names.index("left_knee")
    np.testing.assert_array_equal(ours.keypoints[:, name[1]], own.keypoints[:, name[0]])
    assert not ours.keypoints[:, COCO.names.index("left_eye")].any()  # MPII has no eyes


def test_shares_of_an_epoch(folders):
    people = labelled_people(folders)
    half = mixed(people, (1, 1))
    counts = np.bincount(half.dataset)
    assert len(half) == pytest.approx(len(people), abs=1) and abs(counts[0] - counts[1]) <= 1
    rows = half.keypoints[half.dataset == 1][:, :, :2].reshape(counts[1], -1)
    _, often = np.unique(rows, axis=0, return_counts=True)
    assert often.max() - often.min() <= 1
    assert mixed(people, ()) is people
    with pytest.raises(UsageError, match="2 shares"):
        mixed(people, (1, 2, 3))
