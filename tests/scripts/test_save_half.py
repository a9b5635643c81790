import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from tiny_topdown import random_network

SCRIPT = Path(__file__).parents[2] / "scripts" / "save_half.py"


def save_half(*words):
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)


def test_half_of_a_network_gives_nearly_the_same_maps(tmp_path):
    model = random_network("coco")
    model.save(tmp_path / "whole.keras")
    done = save_half(tmp_path / "whole.keras", tmp_path / "half.keras")
    assert done.returncode == 0, done.stderr
    sizes = [(tmp_path / name).stat().st_size for name in ("whole.keras", "half.keras")]
    assert sizes[1] < 0.75 * sizes[0]
    again = keras.saving.load_model(tmp_path / "half.keras", compile=False)
    for before, after in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(after.numpy(), before.numpy(), rtol=5e-4, atol=1e-6)


def test_other_models_are_refused(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(tmp_path / "a.keras")
    done = save_half(tmp_path / "a.keras", tmp_path / "b.keras")
    assert done.returncode == 2 and "received other" in done.stderr
