import numpy as np

from posekit.draw_boxes import draw_boxes_in_rows
from posekit.skeletons import COCO


def test_truth_stands_left_and_what_was_found_above_the_score_right():
    boxes = np.array([[10, 10, 40, 90.0]])
    examples = [{"image": np.zeros((100, 60, 3), np.uint8), "boxes": boxes}]
    outputs = {
        "boxes": np.array([[[20, 30, 50, 80], [0, 0, 5, 5.0]]]),
        "scores": np.array([[0.9, 0.2]]),
    }
    picture = draw_boxes_in_rows(examples, outputs, COCO, score=0.5)
    assert picture.shape[0] >= 400 and picture.shape[1] >= 2 * 240
    lit = picture.any(axis=2)
    left, right = lit[:400, :240], lit[:400, -240:]
    # The middle of the lower edge, four times as large; within a line's width.
    for part, x, y in ((left, 100, 360), (right, 140, 320)):
        assert part[y - 6 : y + 7, x].any() and not part[y - 60 : y - 20, x].any()
    assert not right[:60, :60].any()
