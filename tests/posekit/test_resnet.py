import keras
import numpy as np
import pytest

from posekit.resnet import resnet

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 70, 96, 3), np.uint8)


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    ("depth", "count"),  # torchvision's networks without their classifier
    [(18, 11_176_512), (50, 23_508_032), (101, 42_500_160), (152, 58_143_808)],
)
def test_parameter_count_is_the_published_one(depth, count):
    assert trainable(resnet(depth)) == count


def test_levels_have_their_strides_and_channels():
    model = resnet(50, width=8)
    assert not any("." in layer.name for layer in model.layers)  # torch modules refuse dots
    outputs = model(IMAGES)
    assert {level: tuple(output.shape) for level, output in outputs.items()} == {
        "C2": (2, 18, 24, 32),  # 70 / 4, rounded up
        "C3": (2, 9, 12, 64),
        "C4": (2, 5, 6, 128),
        "C5": (2, 3, 3, 256),
    }


@pytest.mark.parametrize(
    ("dilate", "sides", "dilations"),
    [
        ((False, False), (6, 3), (1, 1, 1, 1)),
        ((False, True), (6, 6), (1, 1, 1, 2)),
        ((True, True), (12, 12), (1, 2, 2, 4)),
    ],
)
def test_dilation_replaces_stride(dilate, sides, dilations):
    model = resnet(50, dilate=dilate, width=4)
    outputs = model(IMAGES)
    assert (outputs["C4"].shape[2], outputs["C5"].shape[2]) == sides
    blocks = ("layer3_0", "layer3_1", "layer4_0", "layer4_1")
    rates = [model.get_layer(f"{block}_conv2").dilation_rate for block in blocks]
    assert rates == [(d, d) for d in dilations]


def test_stride_after_dilation_is_refused():
    with pytest.raises(ValueError, match="dilate C5 as well"):
        resnet(50, dilate=(True, False), width=4)


def test_stride_sits_in_the_3x3():
    model = resnet(50, width=4)
    strides = [model.get_layer(f"layer2_0_conv{i}").strides[0] for i in (1, 2, 3)]
    assert strides == [1, 2, 1]


def test_bright_pixel_lights_the_expected_cell():
    """The cell at row 3, column 5 of C2 is centred on pixel (12, 20): padding is symmetric."""
    model = resnet(18, width=4)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = np.zeros(layer.kernel.shape, np.float32)
            middle = kernel.shape[0] // 2
            kernel[middle, middle] = 1
            layer.kernel.assign(kernel)
    image = np.zeros((1, 64, 64, 3), np.float32)
    image[0, 12, 20] = 255
    lit = model(image)["C2"] - model(np.zeros_like(image))["C2"]
    assert np.argwhere(np.asarray(lit)[0, ..., 0] > 0).tolist() == [[3, 5]]


def test_frozen_batch_norm_ignores_training_and_trains_convolutions_only():
    frozen, free = resnet(18, width=4, frozen_bn=True), resnet(18, width=4)
    free.set_weights(frozen.get_weights())
    before = frozen.get_layer("bn1").moving_mean.numpy()
    in_training = frozen(IMAGES, training=True)["C5"]
    np.testing.assert_array_equal(in_training, frozen(IMAGES, training=False)["C5"])
    np.testing.assert_array_equal(frozen.get_layer("bn1").moving_mean, before)
    assert all(v.path.endswith("kernel") for v in frozen.trainable_variables)
    free(IMAGES, training=True)
    assert np.abs(free.get_layer("bn1").moving_mean - before).max() > 0


def test_file_round_trip_is_bit_equal_and_keeps_colours(tmp_path):
    model = resnet(18, width=4, frozen_bn=True)
    model.get_layer("colours").set_colours((2, 1, 0), (1, 2, 3), (4, 5, 6))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for level, output in model(IMAGES).items():
        np.testing.assert_array_equal(output, loaded(IMAGES)[level])
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    loaded.load_weights(tmp_path / "m.keras")
    assert loaded.get_layer("colours").get_config()["order"] == [2, 1, 0]


def test_uint8_and_float_images_give_the_same():
    model = resnet(18, width=4)
    np.testing.assert_array_equal(model(IMAGES)["C5"], model(IMAGES.astype(np.float32))["C5"])


def test_mixed_precision_computes_in_half_and_stores_in_full():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = resnet(18, width=4)
    finally:
        keras.config.set_dtype_policy(before)
    assert {output.dtype for output in model.output.values()} == {"bfloat16"}
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert model.get_layer("colours").input.dtype == "float32"


def test_unknown_depth_lists_the_known():
    with pytest.raises(ValueError, match=r"\[18, 34, 50, 101, 152\], received 49"):
        resnet(49)
