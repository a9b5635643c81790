import keras
import numpy as np
import pytest

from posekit.half_precision import save_half


def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(64, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Dense(64, name="dense")(x))


def test_kernels_are_rounded_and_the_rest_is_kept(tmp_path):
    model = network()
    model.get_layer("norm").moving_variance.assign(np.full(64, 1e-9))  # float16 would make it 0
    save_half(model, tmp_path / "half.keras")
    model.save(tmp_path / "whole.keras")
    again = keras.saving.load_model(tmp_path / "half.keras")
    for before, after in zip(model.get_weights(), again.get_weights(), strict=True):
        assert after.dtype == np.float32
        wanted = before.astype(np.float16).astype(np.float32) if before.ndim >= 2 else before
        np.testing.assert_array_equal(after, wanted)
    sizes = [(tmp_path / name).stat().st_size for name in ("half.keras", "whole.keras")]
    assert sizes[0] < 0.8 * sizes[1]


def test_a_weight_beyond_half_precision_is_refused_and_the_file_stays(tmp_path):
    model, path = network(), tmp_path / "model.keras"
    path.write_text("before")
    model.get_layer("dense").bias.assign(np.full(64, 1e5))
    with pytest.raises(ValueError, match=r"below 65504, received 1e\+05|received 100000"):
        save_half(model, path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]
