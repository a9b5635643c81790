import keras
import numpy as np
import pytest

from multiposenet.fpn import fpn
from multiposenet.keypoint_subnet import keypoint_model, keypoint_subnet
from posekit.resnet import resnet


def parameters(inputs, outputs) -> int:
    return keras.Model(inputs, outputs).count_params()


def pyramid_inputs(letter, channels):
    sizes = zip((2, 3, 4, 5), (16, 8, 4, 2), channels, strict=True)
    return {
        f"{letter}{level}": keras.Input((side, side, depth), name=f"{letter}{level}")
        for level, side, depth in sizes
    }


def test_parameters_are_those_of_the_paper_on_resnet50():
    # 2.75 M for the pyramid and 2.96 M for the subnet without intermediate predictions.
    features = pyramid_inputs("C", (256, 512, 1024, 2048))
    assert parameters(features, fpn(features)) == 2_754_304
    pyramid = pyramid_inputs("K", (256,) * 4)
    final = keypoint_subnet(pyramid, 17, intermediate=False)
    assert parameters(pyramid, final) == 4 * (295_040 + 147_584) + 1_179_904 + 4_626


def tiny(**options):
    keras.utils.set_random_seed(0)
    dilate = options.pop("dilate", False)
    strides = (4, 8, 16, 16) if dilate else (4, 8, 16, 32)
    backbone = resnet(18, width=8, dilate=(False, dilate))
    return keypoint_model(backbone, 5, strides, fpn_depth=8, depth=4, **options)


IMAGE = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)


@pytest.mark.parametrize("options", [{}, {"concat": False}, {"dilate": True}])
def test_every_prediction_has_stride_four(options):
    model, _ = tiny(**options)
    shapes = {name: tuple(value.shape) for name, value in model(IMAGE).items()}
    expected = {"heatmaps": (2, 16, 24, 5), "mask": (2, 16, 24, 1)}
    expected |= {f"K{level}": (2, 16, 24, 6) for level in (2, 3, 4, 5)}
    assert shapes == expected


def test_without_intermediate_supervision_there_are_two_outputs():
    model, _ = tiny(intermediate=False)
    assert set(model(IMAGE)) == {"heatmaps", "mask"}


def test_the_saved_model_gives_the_same_bits(tmp_path):
    model, inference_model = tiny()
    inference_model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected, received = model(IMAGE), loaded(IMAGE)
    assert set(received) == {"heatmaps", "mask"}
    for name, value in received.items():
        np.testing.assert_array_equal(value, expected[name])


def test_batched_equals_single():
    _, model = tiny()
    both = model(IMAGE)
    for i in range(2):
        one = model(IMAGE[i : i + 1])
        np.testing.assert_allclose(one["heatmaps"][0], both["heatmaps"][i], atol=1e-5)


def test_predictions_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, _ = tiny()
    finally:
        keras.config.set_dtype_policy("float32")
    assert {value.dtype.name for value in model(IMAGE).values()} == {"float32"}
