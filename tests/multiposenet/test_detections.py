import numpy as np
import pytest
import tensorflow as tf

from multiposenet.anchors import encode_boxes, make_anchors
from multiposenet.detections import detect

SIZE = (96, 160)
ANCHORS = make_anchors(SIZE)


def outputs(*people):
    """Puts (box, score) of one image each into the anchors 100, 200, ...; score 0.001 elsewhere."""
    logits = np.full((1, len(ANCHORS), 1), -6.9, np.float32)
    deltas = np.zeros((1, len(ANCHORS), 4), np.float32)
    for i, (box, score) in enumerate(people):
        row = 100 * (i + 1)
        logits[0, row] = np.log(score / (1 - score))
        deltas[0, row] = encode_boxes(ANCHORS[row], np.array(box, np.float32))
    return logits, deltas


A, B, C = (10, 20, 50, 80), (10, 22, 50, 84), (100, 10, 150, 70)


def test_the_best_of_overlapping_boxes_stays():
    found = detect(*outputs((B, 0.6), (A, 0.9), (C, 0.3)), SIZE)
    assert found["num"].numpy().tolist() == [2]
    np.testing.assert_allclose(found["boxes"][0, :2], [A, C], atol=1e-3)
    np.testing.assert_allclose(found["scores"][0, :2], [0.9, 0.3], rtol=1e-5)
    assert found["boxes"].shape == (1, 100, 4) and not found["boxes"][0, 2:].numpy().any()


@pytest.mark.parametrize(("nms", "count"), [(0.3, 1), (0.35, 2)])
def test_nms_compares_widths_with_widths(nms, count):
    # 40 x 60 pixels each, moved by 20: IoU 1/3; with x and y mixed up it would be another number.
    moved = (30, 20, 70, 80)
    found = detect(*outputs((A, 0.9), (moved, 0.8)), SIZE, nms_threshold=nms)
    assert found["num"].numpy().tolist() == [count]


def test_weak_boxes_and_those_beyond_the_limit_are_dropped():
    people = ((A, 0.9), (C, 0.3))
    assert detect(*outputs(*people), SIZE, score_threshold=0.5)["num"].numpy().tolist() == [1]
    assert detect(*outputs(*people), SIZE, max_boxes=1)["scores"].shape == (1, 1)


def test_boxes_end_at_the_input():
    found = detect(*outputs(((-10, -20, 400, 300), 0.9)), SIZE)
    np.testing.assert_allclose(found["boxes"][0, 0], [0, 0, 160, 96])


def test_a_batch_in_a_graph_of_any_size_gives_the_same_as_single_images():
    one, other, nobody = outputs((A, 0.9), (C, 0.3)), outputs((B, 0.7)), outputs()
    batch = [np.concatenate(parts) for parts in zip(one, other, nobody, strict=True)]
    in_graph = tf.function(lambda logits, deltas, h, w: detect(logits, deltas, (h, w)))
    found = in_graph(*batch, *map(tf.constant, SIZE))
    assert found["num"].numpy().tolist() == [2, 1, 0]
    for i, image in enumerate((one, other, nobody)):
        single = detect(*image, SIZE)
        for name in single:
            np.testing.assert_allclose(found[name][i], single[name][0], rtol=1e-6)
