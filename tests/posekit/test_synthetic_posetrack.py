import cv2
import numpy as np

from posekit.datasets.posetrack import load_posetrack
from posekit.datasets.posetrack_files import read_sequence
from posekit.datasets.synthetic import render_video
from posekit.datasets.synthetic_posetrack import DrawnVideos, write_posetrack
from posekit.skeletons import POSETRACK

VIDEOS = DrawnVideos(sequences=2, frames=4, size=(96, 128), people=(3, 5))


def test_what_is_written_is_read_and_the_flow_follows_the_keypoints(tmp_path):
    write_posetrack(tmp_path, "val", VIDEOS)
    dataset = load_posetrack(tmp_path, "val")
    assert dataset.sequences == ("000001_mpii_drawn", "000002_mpii_drawn")
    assert len(dataset) == 8 and dataset.skeleton == POSETRACK
    truth = read_sequence(tmp_path / "annotations/val/000001_mpii_drawn.json")
    assert truth.sizes.tolist() == [[96, 128]] * 4 and np.isfinite(truth.head_boxes).all()
    flow = cv2.readOpticalFlow(str(tmp_path / "flow/val/000001_mpii_drawn/000001.flo"))
    assert flow.shape == (96, 128, 2)
    errors = []
    for track in np.intersect1d(*(truth.track_ids[truth.frame == f] for f in (1, 2))):
        now, then = (
            truth.keypoints[(truth.frame == f) & (truth.track_ids == track)][0] for f in (1, 2)
        )
        both = (now[:, 2] > 0) & (then[:, 2] > 0)
        x, y = np.rint(now[both, :2]).astype(int).T
        moved = now[both, :2] + flow[y, x]
        errors += np.linalg.norm(moved - then[both, :2], axis=1).tolist()
    assert len(errors) > 10 and np.median(errors) < 1.0


def test_a_larger_step_is_every_other_frame():
    every = list(render_video(3, 5, (64, 64), (2, 2)))
    other = list(render_video(3, 3, (64, 64), (2, 2), step=2.0))
    for place, example in enumerate(other):
        np.testing.assert_array_equal(example["keypoints"], every[2 * place]["keypoints"])
    assert not np.array_equal(other[0]["flow"], every[0]["flow"])
