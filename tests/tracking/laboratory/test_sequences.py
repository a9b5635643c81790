from walking_people import annotated, predicted

from posekit.datasets.posetrack import load_posetrack
from posekit.datasets.posetrack_results import write_posetrack17
from tracking.laboratory.sequences import thinned
from tracking.laboratory.setup import Setup

TRUTH = annotated([{1: 0 + t, 2: 100} for t in range(9)])


def test_thinned():
    fewer = thinned(TRUTH, 4)
    assert fewer.file_names == ("0.jpg", "4.jpg", "8.jpg")
    assert fewer.frame.tolist() == [0, 0, 1, 1, 2, 2]
    assert fewer.keypoints[fewer.frame == 2][0, 0, 0] == 8
    assert thinned(TRUTH, 1) is TRUTH


def test_files_of_2017_are_numbered_from_1(tmp_path):
    folder = tmp_path / "annotations" / "val"
    folder.mkdir(parents=True)
    for name, frames in (("a", 3), ("b", 2)):
        names = [f"{name}/{i}.jpg" for i in range(frames)]
        poses = predicted([{1: 5}] * frames)
        write_posetrack17(folder / f"{name}.json", names, poses)
    first, second = Setup(tmp_path, "val", "none", tmp_path).sequences(False, None)
    assert second.truth.image_ids.tolist() == [4, 5]
    assert load_posetrack(tmp_path, "val", headers=False).image_ids.tolist() == [1, 2, 3, 4, 5]
    assert load_posetrack(tmp_path, "minval", headers=False).image_ids.tolist() == [1, 2, 3]
