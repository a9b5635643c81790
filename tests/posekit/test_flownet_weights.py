"""FlowNet2-S against PyTorch's flow, and the loader against misfits."""

import functools
import runpy
from pathlib import Path

import numpy as np
import pytest

from posekit.weights.flownet import expected_flow_tensors, load_flownet, width_of
from posekit.weights.state_dicts import read_state, save_npz
from tracking.flownet import flownet_s

REFERENCE = Path(__file__).parents[1] / "reference"
CHECKPOINT = REFERENCE / "torch-2.13.0-flownet_s_narrow.pth.tar"
seeded = runpy.run_path(str(REFERENCE / "seeded_weights.py"))


@functools.cache
def stored(name):
    """Stored flow, and the shapes of the network that made it."""
    facts = dict(np.load(REFERENCE / f"torch-2.13.0-flownet_s_{name}.npz"))
    shapes = zip(facts["names"], facts["shapes"], facts["dims"], strict=True)
    return facts, {str(n): tuple(map(int, shape[:dim])) for n, shape, dim in shapes}


def weights_of(name):
    facts, shapes = stored(name)
    return seeded["seeded_weights"](shapes, int(facts["seed"]))


def check_flow(model, name):
    facts, _ = stored(name)
    size, seed = tuple(facts["size"]), int(facts["seed"])
    images = [seeded["seeded_image"](size, s) for s in (seed, seed + 100)]
    flow = model.predict_on_batch(dict(zip(("first", "second"), images, strict=True)))["flow"]
    assert 1 < facts["flow"].std() < 100  # else a difference of 1e-4 says nothing
    assert np.abs(flow[0, :: int(facts["step"])] - facts["flow"]).max() < 1e-4


def test_flow_of_the_published_size_equals_that_of_torch():
    weights = weights_of("full")
    model = flownet_s(width_of(weights))
    assert sum(array.size for array in weights.values()) == 38_676_506
    assert model.count_params() == 38_676_506 + 9  # and the colours
    load_flownet(model, weights)
    check_flow(model, "full")


def test_training_checkpoint_of_two_devices_loads_from_its_file():
    state = read_state(CHECKPOINT)
    assert "module.conv6_1.0.bias" in state and width_of(state) == 1
    model = flownet_s(1)
    load_flownet(model, CHECKPOINT)
    check_flow(model, "narrow")
    for name, variable, axes in expected_flow_tensors(model):
        np.testing.assert_array_equal(variable, weights_of("narrow")[name].transpose(axes))


def test_colours_come_from_the_argument_or_the_file(tmp_path):
    model, weights = flownet_s(1), weights_of("narrow")
    load_flownet(model, weights)
    colours = model.get_layer("colours")
    np.testing.assert_array_equal(colours.order, [0, 1, 2])
    np.testing.assert_array_equal([colours.mean, colours.std], [[0] * 3, [255] * 3])
    load_flownet(model, weights, order=(2, 1, 0))
    np.testing.assert_array_equal(colours.order, [2, 1, 0])
    save_npz(tmp_path / "w.npz", weights, (2, 0, 1), (0, 0, 0), (255, 255, 255))
    load_flownet(model, tmp_path / "w.npz")
    np.testing.assert_array_equal(colours.order, [2, 0, 1])
    with pytest.raises(ValueError, match="as the weights file states"):
        load_flownet(model, tmp_path / "w.npz", order=(0, 1, 2))


def drop(state):
    del state["deconv3.0.weight"]


def transpose(state):
    # The two axes of PyTorch's transposed convolutions are the other way round.
    state["deconv5.0.weight"] = state["deconv5.0.weight"].transpose(1, 0, 2, 3)


def spoil(state):
    state["predict_flow2.bias"][1] = np.inf


def add_bias(state):
    state["upsampled_flow6_to_5.bias"] = np.zeros(2, np.float32)


def normalise(state):
    state["conv1.1.weight"] = np.ones(1, np.float32)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop, r"'deconv3\.0\.weight', which is missing"),
        (transpose, r"'deconv5\.0\.weight' of shape \(16, 8, 4, 4\), received \(8, 16, 4, 4\)"),
        (spoil, r"NaN or infinity in tensor 'predict_flow2\.bias'"),
        (add_bias, r"no tensor 'upsampled_flow6_to_5\.bias'"),
        (normalise, r"no tensor 'conv1\.1\.weight'"),
    ],
)
def test_misfit_names_the_tensor_and_loads_nothing(damage, message):
    model, state = flownet_s(1), weights_of("narrow")
    before = [np.array(v) for v in model.get_weights()]
    damage(state)
    with pytest.raises(ValueError, match=message):
        load_flownet(model, state)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("shape", "said"), [(None, "none"), ((1, 3, 7, 7), r"\(1, 3, 7, 7\)"), ((1,), r"\(1,\)")]
)
def test_what_is_no_flownet_has_no_width(shape, said):
    state = {} if shape is None else {"conv1.0.weight": np.zeros(shape, np.float32)}
    with pytest.raises(ValueError, match=f"'conv1.0.weight' .* received {said} among"):
        width_of(state)
