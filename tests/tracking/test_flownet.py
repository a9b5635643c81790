"""FlowNet2-S as a network and as a source of flow; its numbers: tests of its weights."""

import keras
import numpy as np
import pytest

from posekit.checkpoints import save_keras
from posekit.frames import Frame
from tracking.flow_cache import CachedFlow
from tracking.flownet import NetworkFlow, PairCentering, Quadrupling, flownet_s


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return flownet_s(2)


def frames(size, count=2):
    rng = np.random.default_rng(3)
    return [Frame(rng.integers(0, 256, (*size, 3), dtype=np.uint8), i) for i in range(count)]


def run(model, first, second):
    return model.predict_on_batch({"first": first[None], "second": second[None]})["flow"][0]


def test_a_saved_file_gives_the_same_flow(model, tmp_path):
    first, second = (frame.image for frame in frames((64, 128)))
    flow = run(model, first, second)
    assert flow.shape == (64, 128, 2) and flow.dtype == np.float32 and flow.std() > 0.01
    save_keras(model, tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_array_equal(run(again, first, second), flow)


def test_half_precision_gives_float32_flow():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = flownet_s(1)
    finally:
        keras.config.set_dtype_policy("float32")
    first, second = (frame.image for frame in frames((64, 64)))
    assert run(half, first, second).dtype == np.float32


def test_a_pair_of_any_brightness_gives_the_same_flow(model):
    first, second = (np.float32(frame.image) for frame in frames((64, 64)))
    tint = np.float32([40, -30, 5])
    flow = run(model, first, second)
    np.testing.assert_allclose(run(model, first + tint, second + tint), flow, atol=1e-3)
    assert np.abs(run(model, first + tint, second) - flow).max() > 0.01


def test_centering_by_hand():
    pair = np.zeros((2, 1, 1, 2, 3), np.float32)
    pair[0, ..., 0] = [[[1, 2]]]
    pair[1, ..., 0] = [[[3, 6]]]
    centred = np.asarray(PairCentering()(list(pair)))[0, 0]
    np.testing.assert_array_equal(centred, [[-2, 0, 0, 0, 0, 0], [-1, 0, 0, 3, 0, 0]])


def test_quadrupling_is_bilinear_upsampling():
    maps = np.random.default_rng(0).normal(size=(2, 5, 3, 2)).astype(np.float32)
    wanted = keras.layers.UpSampling2D(4, interpolation="bilinear")(maps)
    np.testing.assert_allclose(Quadrupling()(maps), wanted, atol=1e-6)


class Positions(keras.layers.Layer):
    """ "Flow" that is the place of each pixel."""

    def call(self, first):
        shape = keras.ops.shape(first)
        y = keras.ops.arange(shape[1], dtype="float32")[:, None] + first[0, ..., 0] * 0
        x = keras.ops.arange(shape[2], dtype="float32") + first[0, ..., 0] * 0
        return keras.ops.stack([x, y], axis=-1)[None]


def test_pictures_of_any_size_are_not_stretched():
    inputs = {key: keras.Input((None, None, 3), name=key) for key in ("first", "second")}
    positions = keras.Model(inputs, {"flow": Positions(name="flow")(inputs["first"])})
    flow = NetworkFlow(positions)(*frames((70, 65)))
    assert flow.size == (70, 65) == flow.reliable.shape
    np.testing.assert_array_equal(flow.vectors[69, 64], [64, 69])
    assert flow.reliable[0, 0] and not flow.reliable[1:, 1:].any()  # there and back leads away


def test_padding_repeats_the_border(model):
    first, second = frames((64, 60))
    wide = [np.pad(f.image, ((0, 0), (0, 4), (0, 0)), mode="edge") for f in (first, second)]
    flow = NetworkFlow(model, consistency=False)(first, second)
    np.testing.assert_array_equal(flow.vectors, run(model, *wide)[:, :60])
    assert flow.reliable is None


def test_smaller_resolution(model):
    flow = NetworkFlow(model, longest_side=64)(*frames((100, 130)))
    assert flow.size == (100, 130) == flow.reliable.shape


def test_cached_files_are_told_apart_by_weights_and_settings(model, tmp_path):
    keras.utils.set_random_seed(1)
    sources = [NetworkFlow(model), NetworkFlow(flownet_s(2)), NetworkFlow(model, False)]
    sources += [NetworkFlow(model, longest_side=64), NetworkFlow(model)]
    paths = [CachedFlow(source, tmp_path).path_of(*frames((8, 8))) for source in sources]
    assert len(set(paths[:4])) == 4 and paths[4] == paths[0]


def test_other_networks_are_refused():
    images = keras.Input((None, None, 3), name="images")
    other = keras.Model(images, {"flow": keras.layers.Conv2D(2, 1, name="flow")(images)})
    with pytest.raises(ValueError, match=r"received '.*' of \['images'\] to \['flow'\]"):
        NetworkFlow(other)
