"""The conversion of a training checkpoint that PyTorch 2.13.0 wrote."""

import runpy
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from posekit.skeletons import MPII
from topdown.prediction import maps_in_graph
from topdown.settings import Crop, Reading, Settings, settings_of

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests/reference"
CHECKPOINT = REFERENCE / "torch-2.13.0-pose_resnet_18_64x96.pth.tar"


@pytest.fixture
def convert(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["convert_simple_baselines.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "scripts/convert_simple_baselines.py"), run_name="__main__")
        return ended.value.code or 0, capsys.readouterr()

    return run


def test_the_file_holds_network_colours_and_settings(convert, tmp_path):
    code, said = convert(CHECKPOINT, tmp_path / "m.keras")
    assert code == 0, said.err
    assert "ResNet-18, 3 deconvolutions of kernel 4, 16 keypoints, crops 64x96" in said.out
    model = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert settings_of(model) == Settings({"mpii": MPII}, (64, 96), 4, 0.5, Crop(), Reading())
    stored = np.load(REFERENCE / "torch-2.13.0-simple_baseline_mpii.npz")
    seeded_image = runpy.run_path(str(REFERENCE / "seeded_weights.py"))["seeded_image"]
    image = seeded_image((64, 96), int(stored["seed"]))
    maps = maps_in_graph(model, image, flip=True, shift=True)["mpii"]
    np.testing.assert_allclose(maps[0], stored["flipped"], rtol=0, atol=1e-4)


def test_size_sigma_and_head_can_be_said(convert, tmp_path):
    code, said = convert(
        *(CHECKPOINT, tmp_path / "m.keras", "--size", 128, 64, "--sigma", 1.5, "--domain", "gym")
    )
    assert code == 0, said.err
    settings = settings_of(keras.saving.load_model(tmp_path / "m.keras", compile=False))
    assert (settings.size, settings.sigma, list(settings.domains)) == ((128, 64), 1.5, ["gym"])


@pytest.mark.parametrize(
    ("name", "output", "message"),
    [
        ("pose_resnet_50_caffe_64x96.pth.tar", "m.keras", "caffe-style"),
        ("pose_resnet_18_65x96.pth.tar", "m.keras", "multiples of 32"),
        ("pose_resnet_18_64x96.pth.tar", "m.h5", "ends in .keras"),
    ],
)
def test_what_would_give_wrong_results_ends_with_2(convert, tmp_path, name, output, message):
    shutil.copy(CHECKPOINT, tmp_path / name)
    code, said = convert(tmp_path / name, tmp_path / output)
    assert code == 2 and message in said.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_of_other_tensors_ends_with_2(convert, tmp_path):
    code, said = convert(REFERENCE / "torch-2.13.0-views.pt", tmp_path / "m.keras")
    assert code == 2 and "conv1.weight" in said.err
