import importlib.util
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from posekit.backends import MissingBackend, NetworkFailed, run_under
from posekit.resnet import resnet

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
SCRIPT = Path(__file__).parents[2] / "scripts/compare_backends.py"


def test_other_process_computes_what_this_one_does(tmp_path):
    model = resnet(18, width=4)
    model.save(tmp_path / "m.keras")
    outputs = run_under("tensorflow", tmp_path / "m.keras", IMAGE)
    for level, expected in model(IMAGE[None]).items():
        np.testing.assert_allclose(outputs[level], keras.ops.convert_to_numpy(expected), atol=1e-5)


def test_unreadable_network_is_named(tmp_path):
    with pytest.raises(NetworkFailed, match=r"absent\.keras.* under tensorflow"):
        run_under("tensorflow", tmp_path / "absent.keras", IMAGE)


@pytest.mark.skipif(importlib.util.find_spec("jax") is not None, reason="jax is installed")
def test_missing_backend_says_what_to_install(tmp_path):
    with pytest.raises(MissingBackend, match="pip install jax keras"):
        run_under("jax", tmp_path / "m.keras", IMAGE)


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (1.1, 1), (np.nan, 1)])
def test_script_fails_where_outputs_differ_or_are_nan(monkeypatch, tmp_path, value, code):
    from PIL import Image

    Image.fromarray(IMAGE).save(tmp_path / "i.png")
    values = {"tensorflow": 1.0, "jax": 1.0, "torch": value}
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path / "m.keras"), str(tmp_path / "i.png")])
    monkeypatch.setattr(
        "posekit.backends.run_under", lambda backend, *_: {"C2": np.full(3, values[backend])}
    )
    assert runpy.run_path(str(SCRIPT))["main"]() == code
