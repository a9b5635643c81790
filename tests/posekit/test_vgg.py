import keras
import numpy as np
import pytest
from scipy.signal import correlate

from posekit.vgg import FEATURES, vgg16
from posekit.weights.state_dicts import save_npz
from posekit.weights.vgg import load_vgg16

IMAGES = np.random.default_rng(0).integers(0, 256, (1, 50, 36, 3), np.uint8)
WIDTH = 2
CHANNELS = [3] + [WIDTH * c for c in (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8)]


def seeded_state(seed=1):
    """A state dict of torchvision's vgg16, narrower."""
    rng = np.random.default_rng(seed)
    numbers = [number for stage in FEATURES for number in stage]
    shapes = {
        f"features.{number}": (after, before, 3, 3)
        for number, before, after in zip(numbers, CHANNELS[:-1], CHANNELS[1:], strict=True)
    }
    shapes |= {"classifier.0": (128, 16 * 49), "classifier.3": (128, 128), "classifier.6": (9, 128)}
    state = {}
    for name, shape in shapes.items():
        scale = np.prod(shape[1:]) ** -0.5
        state[f"{name}.weight"] = rng.normal(0, scale, shape).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return state


def convolved(x, weight, bias, dilation=1):
    """(C, H, W) -> (F, H, W) by SciPy; the kernel is spread out for its dilation."""
    side = (weight.shape[-1] - 1) * dilation + 1
    spread = np.zeros((*weight.shape[:2], side, side))
    spread[..., ::dilation, ::dilation] = weight
    p = side // 2
    padded = np.pad(x, ((0, 0), (p, p), (p, p)))
    maps = [correlate(padded, kernel, mode="valid")[0] for kernel in spread]
    return np.maximum(np.stack(maps) + bias[:, None, None], 0)


def pooled(x, side, stride):
    """(C, H, W) -> maxima; windows may reach out at the far edges, and by one at the near ones."""
    near = 1 if stride == 1 else 0
    x = np.pad(x, ((0, 0), (near, side), (near, side)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
    return windows.max(axis=(-2, -1))[:, ::stride, ::stride]


def by_hand(state, image):
    """The trunk in NumPy and SciPy, with fc6 and fc7 subsampled as SSD says."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = ((image / 255 - mean) / std).transpose(2, 0, 1)
    outputs = {}
    for stage, numbers in enumerate(FEATURES):
        for number in numbers:
            name = f"features.{number}"
            x = convolved(x, state[f"{name}.weight"], state[f"{name}.bias"])
        if stage == 3:
            outputs["conv4_3"] = x
        height, width = x.shape[1:]
        if stage < 4:
            x = pooled(x, 2, 2)[:, : (height + 1) // 2, : (width + 1) // 2]
        else:
            x = pooled(x, 3, 1)[:, :height, :width]
    cells = state["classifier.0.weight"].reshape(128, 16, 7, 7)[::4, :, ::3, ::3]
    x = convolved(x, cells, state["classifier.0.bias"][::4], dilation=6)
    weight = state["classifier.3.weight"][::4, ::4, None, None]
    outputs["conv7"] = convolved(x, weight, state["classifier.3.bias"][::4])
    return {name: maps.transpose(1, 2, 0) for name, maps in outputs.items()}


def test_loaded_weights_compute_what_numpy_computes(tmp_path):
    model, state = vgg16(width=WIDTH), seeded_state()
    save_npz(tmp_path / "vgg16.npz", state)
    load_vgg16(model, tmp_path / "vgg16.npz")
    outputs = model(IMAGES)
    for name, expected in by_hand(state, IMAGES[0]).items():
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(outputs[name][0], expected, atol=1e-4)


def test_parameter_count_is_that_of_vgg16_without_its_classifier():
    model = vgg16()
    features = 14_714_688  # torchvision's vgg16().features
    count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert count == features + (512 * 9 + 1) * 1024 + (1024 + 1) * 1024


def test_sides_of_300_pixels_round_up_as_in_the_paper():
    shapes = vgg16(width=4).compute_output_shape((1, 300, 300, 3))
    assert shapes == {"conv4_3": (1, 38, 38, 32), "conv7": (1, 19, 19, 64)}


def test_features_without_classifier_leave_conv6_and_conv7_alone():
    model, state = vgg16(width=WIDTH), seeded_state()
    before = model.get_layer("conv6").kernel.numpy()
    state["classifier.0.weight"][0, 0] = np.nan  # as torchvision's file of features has it
    load_vgg16(model, {f"module.{name}": array for name, array in state.items()}, (2, 1, 0))
    np.testing.assert_array_equal(model.get_layer("conv6").kernel, before)
    np.testing.assert_array_equal(model.get_layer("features_28").bias, state["features.28.bias"])
    assert model.get_layer("colours").get_config()["order"] == [2, 1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.28.bias": None}, "'features.28.bias', which is missing"),
        ({"features.0.weight": np.zeros((2, 3, 5, 5), np.float32)}, r"shape \(2, 3, 3, 3\)"),
        (
            {"features.7.bias": np.full(4, np.inf, np.float32)},
            "finite numbers, .* 'features.7.bias'",
        ),
        ({"classifier.3.weight": np.zeros((64, 64), np.float32)}, "'conv7.weight' of shape"),
    ],
)
def test_a_wrong_file_is_refused_and_nothing_is_set(change, message):
    model = vgg16(width=WIDTH)
    before = model.get_weights()
    state = {k: v for k, v in (seeded_state() | change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        load_vgg16(model, state)
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_file_round_trip_is_bit_equal(tmp_path):
    model = vgg16(width=WIDTH)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for name, output in model(IMAGES).items():
        np.testing.assert_array_equal(output, loaded(IMAGES)[name])
