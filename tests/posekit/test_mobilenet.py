import keras
import numpy as np
import pytest

from posekit.mobilenet import channels, mobilenet_v2

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 70, 96, 3), np.uint8)


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_parameter_count_is_the_published_one():
    assert trainable(mobilenet_v2(last_conv=True)) == 2_223_872  # torchvision's `features`
    assert trainable(mobilenet_v2()) == 2_223_872 - (320 * 1280 + 2 * 1280)


def test_levels_have_their_strides_and_channels():
    model = mobilenet_v2()
    assert not any("." in layer.name for layer in model.layers)  # torch modules refuse dots
    outputs = model(IMAGES)
    assert {level: tuple(output.shape) for level, output in outputs.items()} == {
        "C2": (2, 18, 24, 24),  # 70 / 4, rounded up
        "C3": (2, 9, 12, 32),
        "C4": (2, 5, 6, 96),
        "C5": (2, 3, 3, 320),
    }
    assert mobilenet_v2(last_conv=True, alpha=0.25).output["C5"].shape[-1] == 1280


@pytest.mark.parametrize(
    ("count", "alpha", "expected"),
    [
        (32, 0.35, 16),  # 11.2 goes to 8, but that loses more than a tenth
        (24, 0.5, 16),  # 12 lies in the middle and goes up
        (160, 0.75, 120),
        (16, 0.1, 8),
    ],
)
def test_channels_are_multiples_of_eight(count, alpha, expected):
    assert channels(count, alpha) == expected


def test_dilation_replaces_stride():
    model = mobilenet_v2(alpha=0.1, dilate=(True, True))
    outputs = model(IMAGES)
    assert [outputs[level].shape[2] for level in ("C2", "C3", "C4", "C5")] == [24, 12, 12, 12]
    rates = [model.get_layer(f"features_{i}_conv_1_0").dilation_rate[0] for i in (6, 7, 8, 14, 15)]
    assert rates == [1, 1, 2, 2, 4]


def test_frozen_batch_norm_trains_convolutions_only():
    model = mobilenet_v2(alpha=0.1, frozen_bn=True)
    assert all(v.path.endswith("kernel") for v in model.trainable_variables)
    in_training = model(IMAGES, training=True)["C5"]
    np.testing.assert_array_equal(in_training, model(IMAGES, training=False)["C5"])


def test_file_round_trip_is_bit_equal(tmp_path):
    model = mobilenet_v2(alpha=0.1)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for level, output in model(IMAGES).items():
        np.testing.assert_array_equal(output, loaded(IMAGES)[level])
