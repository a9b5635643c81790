"""Simple Baselines' networks against PyTorch's heatmaps, and the loader against misfits."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from posekit.colours import IMAGENET_MEAN
from posekit.resnet import resnet
from posekit.skeletons import COCO, MPII
from posekit.weights.simple_baselines import (
    Layout,
    expected_pose_tensors,
    load_simple_baselines,
    read_layout,
)
from posekit.weights.state_dicts import read_state
from topdown.prediction import maps_in_graph
from topdown.settings import Settings
from topdown.simple_baseline import simple_baseline

REFERENCE = Path(__file__).parents[1] / "reference"
CHECKPOINT = REFERENCE / "torch-2.13.0-pose_resnet_18_64x96.pth.tar"
seeded = runpy.run_path(str(REFERENCE / "seeded_weights.py"))


def reference(name: str) -> tuple[dict, dict]:
    """Stored heatmaps, and the weights that made them."""
    stored = dict(np.load(REFERENCE / f"torch-2.13.0-simple_baseline_{name}.npz"))
    shapes = zip(stored["names"], stored["shapes"], stored["dims"], strict=True)
    shapes = {str(n): tuple(int(side) for side in shape[:dim]) for n, shape, dim in shapes}
    return stored, seeded["seeded_weights"](shapes, int(stored["seed"]))


def network(layout: Layout, size, skeletons=(COCO,), **options):
    domains = {skeleton.name: skeleton for skeleton in skeletons}
    settings = Settings(domains, tuple(map(int, size)), 32 >> layout.deconvolutions)
    backbone = resnet(layout.depth, width=layout.width)
    sizes = layout.deconvolutions, layout.filters, layout.kernel
    return simple_baseline(backbone, settings, *sizes, **options)


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("r50", Layout(50, 64, 3, 4, 256, 17)),
        ("k3", Layout(18, 8, 3, 3, 16, 17)),
        ("k2", Layout(18, 8, 3, 2, 16, 17)),
        ("two", Layout(18, 8, 2, 4, 16, 17)),
    ],
)
def test_heatmaps_equal_those_of_torch(name, layout):
    stored, weights = reference(name)
    assert read_layout(weights) == layout
    model = network(layout, stored["size"])
    load_simple_baselines(model, weights)
    check_maps(model, stored, "coco")


def check_maps(model, stored, domain):
    image = seeded["seeded_image"](tuple(stored["size"]), int(stored["seed"]))
    for kind, flip in (("plain", False), ("flipped", True)):
        ours = np.asarray(maps_in_graph(model, image, flip, shift=True)[domain])[0]
        assert 0.1 < stored[kind].std() < 2  # else a difference of 1e-4 says nothing
        difference = np.abs(ours[:: int(stored["step"])] - stored[kind]).max()
        assert difference < 1e-4


def test_training_checkpoint_of_two_devices_loads_from_its_file():
    stored, weights = reference("mpii")
    state = read_state(CHECKPOINT)
    assert "module.deconv_layers.7.running_var" in state
    assert read_layout(state) == Layout(18, 2, 3, 4, 4, 16)
    model = network(read_layout(state), stored["size"], [MPII])
    load_simple_baselines(model, CHECKPOINT)
    check_maps(model, stored, "mpii")
    for name, variable, axes in expected_pose_tensors(model):
        np.testing.assert_array_equal(variable, weights[name].transpose(axes))


@pytest.fixture
def tiny():
    stored, weights = reference("mpii")
    return network(read_layout(weights), stored["size"], [MPII]), weights


def test_colours_are_bgr_with_the_statistics_as_they_stand(tiny):
    model, weights = tiny
    colours = model.get_layer("resnet18").get_layer("colours")
    load_simple_baselines(model, weights)
    np.testing.assert_array_equal(colours.order, [2, 1, 0])
    np.testing.assert_allclose(colours.mean, IMAGENET_MEAN)
    load_simple_baselines(model, weights, order=(0, 1, 2), mean=(1, 2, 3))
    np.testing.assert_array_equal([colours.order, colours.mean], [[0, 1, 2], [1, 2, 3]])


def drop(state):
    del state["deconv_layers.4.running_mean"]


def transpose(state):
    state["deconv_layers.0.weight"] = state["deconv_layers.0.weight"].transpose(1, 0, 2, 3)


def spoil(state):
    state["final_layer.bias"][3] = np.nan


def add(state):
    state["deconv_layers.9.weight"] = state["deconv_layers.6.weight"]


def add_bias(state):
    state["deconv_layers.0.bias"] = state["deconv_layers.1.bias"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop, r"'deconv_layers\.4\.running_mean', which is missing"),
        (
            transpose,
            r"'deconv_layers\.0\.weight' of shape \(16, 4, 4, 4\), received \(4, 16, 4, 4\)",
        ),
        (spoil, r"NaN or infinity in tensor 'final_layer\.bias'"),
        (add, r"no tensor 'deconv_layers\.9\.weight'"),
        (add_bias, r"no tensor 'deconv_layers\.0\.bias'"),
    ],
)
def test_misfit_names_the_tensor_and_loads_nothing(tiny, damage, message):
    model, state = tiny
    before = [np.array(v) for v in model.get_weights()]
    damage(state)
    with pytest.raises(ValueError, match=message):
        load_simple_baselines(model, state)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_networks_that_no_checkpoint_is_of_are_refused(tiny):
    model, weights = tiny
    layout, size = read_layout(weights), (64, 96)
    for wrong in (network(layout, size, [MPII, COCO]), network(layout, size, skip=True)):
        with pytest.raises(ValueError, match="one head, without skip"):
            load_simple_baselines(wrong, weights)
    with pytest.raises(ValueError, match="takes load_torchvision"):
        load_simple_baselines(model.get_layer("resnet18"), weights)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("deconv_layers.0.weight", r"with 'deconv_layers\.0\.weight' of four axes, received none"),
        ("layer3.1.conv1.weight", r"blocks of a ResNet, received \(2, 2, 1, 2\) basic blocks"),
    ],
)
def test_what_is_no_pose_resnet_has_no_layout(name, message):
    _, weights = reference("mpii")
    del weights[name]
    with pytest.raises(ValueError, match=message):
        read_layout(weights)
