import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_networks import joined, parts, photo

from multiposenet.anchors import encode_boxes, make_anchors, match_anchors
from multiposenet.model import (
    ModelError,
    join,
    load_multiposenet,
    pose_head,
    predict_in_graph,
    skeleton_of,
)
from multiposenet.pose_head import PoseHead, PoseSettings, mirror_canvases
from multiposenet.prn import prn
from posekit.heatmaps import encode_heatmaps
from posekit.skeletons import COCO

SIZE = (128, 192)
FLIP = list(COCO.flip)


def scene(mirrored=False):
    """Two people beside each other, boxes overlapping: (2, K, 3) and (2, 4)."""
    rng = np.random.default_rng(3)
    boxes = np.float32([[30, 20, 90, 110], [75, 16, 140, 116]])
    places = rng.uniform(0.08, 0.92, (2, COCO.num_keypoints, 2))
    keypoints = np.ones((2, COCO.num_keypoints, 3), np.float32)
    keypoints[..., :2] = boxes[:, None, :2] + places * (boxes[:, None, 2:] - boxes[:, None, :2])
    if mirrored:  # pixel x lies at 192 - 4 - x
        keypoints[..., 0] = 188 - keypoints[..., 0]
        keypoints = keypoints[:, FLIP]
        boxes = np.stack([189 - boxes[:, 2], boxes[:, 1], 189 - boxes[:, 0], boxes[:, 3]], axis=1)
    return keypoints, boxes


def maps_of(keypoints, boxes, size=SIZE):
    """What perfect networks would answer."""
    anchors = make_anchors(size)
    match = match_anchors(anchors, boxes)
    logits = np.where(match >= 0, 4.0, -9.0)[None, :, None].astype(np.float32)
    deltas = encode_boxes(anchors, boxes[np.maximum(match, 0)])[None]
    heatmaps = encode_heatmaps(keypoints, size, 4)[None]
    mask = np.full((*heatmaps.shape[:3], 1), 0.25, np.float32)
    return {"heatmaps": heatmaps, "mask": mask, "class_logits": logits, "box_deltas": deltas}


def head(kind="peaks", **settings):
    """A head whose PRN adds nothing to its input."""
    network = prn(COCO.num_keypoints, nodes=1, kind=kind)
    for variable in network.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    return PoseHead(network, COCO, PoseSettings(**settings))


@pytest.mark.parametrize("kind", ["peaks", "heatmaps"])
def test_perfect_maps_give_the_people(kind):
    keypoints, boxes = scene()
    found = head(kind)(maps_of(keypoints, boxes))
    assert found["num_poses"].numpy().tolist() == [2]
    order = np.argsort(found["boxes"][0, :, 0])
    np.testing.assert_allclose(found["boxes"].numpy()[0, order], boxes, atol=0.5)
    distance = np.abs(found["keypoints"].numpy()[0, order, :, :2] - keypoints[..., :2]).max(axis=-1)
    assert np.median(distance) < 0.2 and (distance < 3).mean() > 0.9
    np.testing.assert_allclose(
        found["scores"][0], found["keypoints"].numpy()[0, :, :, 2].mean(axis=1), rtol=1e-5
    )


def test_a_keypoint_that_is_not_found_is_put_where_the_prn_expects_it():
    """No left knee anywhere: this PRN's map is even, so it is the middle of the first cell."""
    keypoints, boxes = scene()
    maps = maps_of(keypoints, boxes)
    knee = COCO.names.index("left_knee")
    maps["heatmaps"][..., knee] = 0
    found, left_out = head()(maps), head(fill=False)(maps)
    box = found["boxes"].numpy()[0]
    wanted = box[:, :2] + (box[:, 2:] - box[:, :2]) / np.float32([72, 112])
    np.testing.assert_allclose(found["keypoints"][0, :, knee, :2], wanted, rtol=1e-5)
    assert not found["keypoints"][0, :, knee, 2].numpy().any()
    assert not left_out["keypoints"][0, :, knee].numpy().any()
    np.testing.assert_array_equal(found["scores"], left_out["scores"])


def test_the_flip_test_of_a_mirrored_scene_changes_nothing():
    """A shift by one cell, or no exchange of left and right, would halve the heatmaps."""
    maps, mirrored = maps_of(*scene()), maps_of(*scene(mirrored=True))
    plain, averaged = head()(maps), head()(maps, mirrored=mirrored)
    assert averaged["num_poses"].numpy().tolist() == [2]
    for name, limit in (("boxes", 1.0), ("keypoints", 0.2), ("mask", 1e-6)):
        np.testing.assert_allclose(averaged[name], plain[name], atol=limit)


def test_mirrored_canvases_bring_cell_i_to_the_cell_opposite():
    canvas = np.zeros((1, 32, 64, 3), np.uint8)
    canvas[0, 8, 4 * 3] = 255  # cell 3 of 16
    mirrored = mirror_canvases(canvas).numpy()
    assert mirrored.shape == canvas.shape
    assert np.argwhere(mirrored[0, :, :, 0]).tolist() == [[8, 4 * 12]]


def test_one_file_holds_it_all(tmp_path):
    model = joined()
    model.save(tmp_path / "model.keras")
    again = load_multiposenet(tmp_path / "model.keras")
    assert skeleton_of(again) == COCO and pose_head(again).settings == pose_head(model).settings
    image = photo()[None]
    before, after = (predict_in_graph(m, image) for m in (model, again))
    assert before["num_poses"][0] == 7 and before["mask"].shape == (1, 60, 80)
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name], err_msg=name)


def test_the_backbone_is_there_once_and_the_networks_answer_as_before():
    keypoints, detector, grouper = parts()
    model = joined()
    image = np.stack([photo(1, (64, 96))])
    maps = model.get_layer("networks")(image)
    for network in (keypoints, detector):
        for name, values in network(image).items():
            np.testing.assert_allclose(maps[name], values, atol=1e-5, err_msg=name)
    backbone = keypoints.layers[1]
    total = sum(network.count_params() for network in parts())
    assert model.count_params() == total - backbone.count_params()


def test_networks_that_do_not_belong_together_are_refused():
    keypoints, detector, grouper = parts()
    other = parts(seed=1)[1]
    with pytest.raises(ModelError, match="backbone has other weights"):
        join(keypoints, other, grouper, COCO)
    with pytest.raises(ModelError, match=r"17 of the skeleton coco, 17 .* and 15 of the PRN"):
        join(keypoints, detector, prn(15, nodes=1, rank=1), COCO)
    with pytest.raises(ModelError, match="expected a person detector with the outputs"):
        join(keypoints, keypoints, grouper, COCO)
    with pytest.raises(ModelError, match="multiples of 32"):
        join(keypoints, detector, grouper, COCO, canvas=(100, 96))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.keras is missing"):
        load_multiposenet(tmp_path / "gone.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(ModelError, match=r"text\.keras: expected a joined model"):
        load_multiposenet(tmp_path / "text.keras")
    parts()[2].save(tmp_path / "prn.keras")
    with pytest.raises(ModelError, match="without|expected a model with a PoseHead"):
        load_multiposenet(tmp_path / "prn.keras")


def test_boxes_of_the_mirrored_scene_alone_come_back_in_place():
    """The plain scene finds nobody, so nothing hides a mirrored box that is some pixels off."""
    boxes = scene()[1]
    maps = maps_of(*scene())
    maps["class_logits"] = np.full_like(maps["class_logits"], -9)
    found = head()(maps, mirrored=maps_of(*scene(mirrored=True)))
    assert found["num_poses"].numpy().tolist() == [2]
    order = np.argsort(found["boxes"][0, :, 0])
    np.testing.assert_allclose(found["boxes"].numpy()[0, order], boxes, atol=0.5)


def test_a_scene_without_people():
    found = predict_in_graph(joined(box_threshold=1.0), photo()[None])
    assert found["num_poses"].numpy().tolist() == [0]
    assert found["keypoints"].shape == (1, 0, 17, 3) and found["boxes"].shape == (1, 0, 4)
    assert keras.backend.backend() == "tensorflow"
