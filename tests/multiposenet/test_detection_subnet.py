import keras
import numpy as np
import pytest

from multiposenet.anchors import make_anchors
from multiposenet.detection_subnet import (
    LEVELS,
    backbone_of,
    detection_fpn,
    detection_heads,
    detection_model,
)
from multiposenet.keypoint_subnet import keypoint_model
from posekit.resnet import resnet


def parameters(inputs, outputs) -> int:
    return keras.Model(inputs, outputs).count_params()


def pyramid_inputs(depth):
    sides = (16, 8, 4, 2, 1)
    return {
        name: keras.Input((side, side, depth), name=name)
        for name, side in zip(LEVELS, sides, strict=True)
    }


def test_parameters_are_those_of_the_paper_on_resnet50():
    # 8.0 M for the pyramid and 4.82 M for the heads.
    depths = {"C3": 512, "C4": 1024, "C5": 2048}
    features = {
        name: keras.Input((side, side, depths[name]), name=name)
        for name, side in (("C3", 16), ("C4", 8), ("C5", 4))
    }
    laterals = 131_328 + 262_400 + 524_544
    assert parameters(features, detection_fpn(features)) == laterals + 4 * 590_080 + 4_718_848
    pyramid = pyramid_inputs(256)
    heads = detection_heads(pyramid)
    assert parameters(pyramid, heads) == 8 * 590_080 + 20_745 + 82_980


def tiny(dilate=False):
    keras.utils.set_random_seed(0)
    backbone = resnet(18, width=8, dilate=(False, dilate))
    return detection_model(backbone, fpn_depth=8, depth=4), backbone


IMAGE = np.random.default_rng(0).integers(0, 255, (2, 96, 160, 3), np.uint8)


@pytest.mark.parametrize("dilate", [False, True])
def test_there_is_one_output_for_every_anchor(dilate):
    model, _ = tiny(dilate)
    count = len(make_anchors((96, 160)))
    shapes = {name: tuple(value.shape) for name, value in model(IMAGE).items()}
    assert shapes == {"class_logits": (2, count, 1), "box_deltas": (2, count, 4)}


def test_an_untrained_network_expects_a_person_once_in_a_hundred_anchors():
    model, _ = tiny()
    logits = np.asarray(model(IMAGE)["class_logits"])
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), 0.01, atol=0.002)


def test_a_bright_cell_answers_for_the_nine_anchors_round_it():
    pyramid = pyramid_inputs(4)
    model = keras.Model(pyramid, detection_heads(pyramid, depth=4))
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        kernel, bias = np.zeros(layer.kernel.shape), np.zeros(layer.filters)
        kernel[1, 1] = np.eye(4) if layer.filters == 4 else 1 / 4
        if layer.name == "box_readout":
            bias = np.arange(36)
        layer.set_weights([kernel, bias])
    maps = {name: np.zeros((1, *x.shape[1:]), np.float32) for name, x in pyramid.items()}
    maps["P4"][0, 2, 5] = 1  # of stride 16: the centre is (88, 40)
    outputs = {name: np.asarray(value)[0] for name, value in model(maps).items()}
    anchors = make_anchors((128, 128))
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    lit = outputs["class_logits"][:, 0] == 1
    assert lit.sum() == 9 and not outputs["class_logits"][~lit].any()
    np.testing.assert_allclose(centres[lit], [[88, 40]] * 9, atol=1e-4)
    np.testing.assert_allclose(outputs["box_deltas"][lit], 1 + np.arange(36).reshape(9, 4))


def test_training_leaves_the_backbone_as_it_is():
    model, backbone = tiny()
    before = backbone.get_weights()
    assert not backbone.trainable_variables
    names = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert all(name[0] == "P" or name.split("_")[0] in ("class", "box") for name in names)
    model(IMAGE, training=True)  # would move the statistics of a trainable backbone
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_saved_model_gives_the_same_bits(tmp_path):
    model, _ = tiny()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected, received = model(IMAGE), loaded(IMAGE)
    for name in expected:
        np.testing.assert_array_equal(received[name], expected[name])


def test_the_backbone_is_found_in_a_keypoint_model():
    backbone = resnet(18, width=8)
    _, keypoints = keypoint_model(backbone, 5, fpn_depth=8, depth=4)
    assert backbone_of(keypoints) is backbone and backbone_of(backbone) is backbone
    with pytest.raises(ValueError, match="expected a model with a backbone"):
        backbone_of(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
