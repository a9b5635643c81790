"""Weights files of another network, or cut (T12): named by the first misfit, nothing loaded."""

import shutil
import zipfile

import keras
import numpy as np
import pytest
from tiny_networks import parts
from tiny_topdown import random_network
from training_scripts import run_dir, run_here

from multiposenet.model import ModelError, load_multiposenet
from multiposenet.prn import prn
from multiposenet.prn_files import PrnFileError, load_prn
from multiposenet.train_detector import build_detector
from posekit.commands import UsageError
from posekit.resnet import resnet
from posekit.skeletons import COCO
from posekit.weights.torchvision import save_torchvision
from topdown.detector import DetectorError, PersonDetector
from topdown.networks import start_from
from topdown.prediction import ModelError as TopDownError
from topdown.prediction import load_topdown
from topdown.settings import Settings
from topdown.simple_baseline import simple_baseline
from topdown.ssd import ssd
from topdown.ssd_settings import SsdSettings


def saved(model, path):
    model.save(path)
    return path


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def grafted(layers, weights, path):
    """A file with the layers of one and the weights of another file."""
    with zipfile.ZipFile(layers) as body, zipfile.ZipFile(weights) as other:
        with zipfile.ZipFile(path, "w") as archive:
            for name in body.namelist():
                archive.writestr(name, (other if name.endswith(".h5") else body).read(name))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each network, and some of other sizes."""
    folder = tmp_path_factory.mktemp("files")
    keypoints, _, grouper = parts()
    networks = {
        "keypoints": keypoints,
        "prn": grouper,
        "prn15": prn(15, nodes=4, rank=2),
        "topdown": random_network("coco"),
        "topdown15": random_network("posetrack"),
        "ssd": ssd(SsdSettings(), width=4),
        "ssd2": ssd(SsdSettings(), width=2),
    }
    return {name: saved(model, folder / f"{name}.keras") for name, model in networks.items()}


def load_detector(path):
    return build_detector(path, 8, 8)


LOADERS = {
    "multiposenet": (load_multiposenet, ModelError),
    "prn": (lambda path: load_prn(path, COCO), PrnFileError),
    "detector": (load_detector, UsageError),
    "topdown": (load_topdown, TopDownError),
    "ssd": (PersonDetector, DetectorError),
}
WRONG = [
    ("multiposenet", "keypoints", "join the three networks first"),
    ("multiposenet", "prn", "join the three networks first"),
    ("prn", "prn15", "expected maps of 17 keypoints.*received 15"),
    ("prn", "keypoints", "expected a trained PRN, received a model of input"),
    ("detector", "prn", "expected a model with a backbone"),
    ("topdown", "ssd", "expected a top-down network"),
    ("ssd", "topdown", "expected an SSD"),
]


@pytest.mark.parametrize(("loader", "file", "reason"), WRONG)
def test_t12_another_kind_of_network_is_named(files, loader, file, reason):
    load, error = LOADERS[loader]
    with pytest.raises(error, match=f"{file}.keras.*{reason}") as caught:
        load(files[file])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("loader", LOADERS)
def test_t12_a_cut_file_is_named(files, tmp_path, loader):
    load, error = LOADERS[loader]
    whole = files.get(loader, files["keypoints"])
    with pytest.raises(error, match="cut.keras.*not a zip file") as caught:
        load(cut(shutil.copy(whole, tmp_path / "cut.keras")))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("loader", "layers", "weights", "tensor"),
    [
        ("prn", "prn15", "prn", r"expected hidden1/kernel of shape \(30, 4\).*\(34, 4\)"),
        ("topdown", "topdown15", "topdown", r"expected head_posetrack/kernel|head_coco"),
        ("ssd", "ssd2", "ssd", r"expected .*kernel of shape"),
        ("prn", "prn", "prn15", r"decode.*\(17, 2016\)"),  # layers that want more than is there
        ("topdown", "topdown", "topdown15", r"head_coco.*\(1, 1, 8, 17\)"),
    ],
)
def test_t12_weights_of_another_network_name_the_tensor(
    files, tmp_path, loader, layers, weights, tensor
):
    load, error = LOADERS[loader]
    with pytest.raises(error, match=tensor) as caught:
        load(grafted(files[layers], files[weights], tmp_path / "wrong.keras"))
    assert len(str(caught.value)) < 1000


def test_t12_first_weights_of_another_network_name_the_tensor(files, tmp_path, capsys):
    """--backbone-weights and --init at the command line."""
    save_torchvision(resnet(34, width=8), tmp_path / "resnet34.npz")
    words = ("--backbone-weights", tmp_path / "resnet34.npz")
    assert run_here("keypoint", tmp_path, *words) == 2
    said = capsys.readouterr().err
    assert "conv1.weight" in said and "(32, 3, 7, 7), received (8, 3, 7, 7)" in said
    assert run_here("keypoint", tmp_path, words[0], cut(words[1])) == 2
    assert "expected an .npz of plain arrays" in capsys.readouterr().err
    assert run_here("topdown", tmp_path, "--init", files["topdown"]) == 2
    assert (
        "deconv1/kernel has the shape (4, 4, 8, 64) and not (4, 4, 8, 256)"
        in capsys.readouterr().err
    )
    assert not list(run_dir(tmp_path).glob("*.keras"))


def test_t12_nothing_is_taken_over_where_one_tensor_does_not_fit(files):
    """The backbones are equal, and only a layer behind them differs."""
    keras.utils.set_random_seed(5)
    model = simple_baseline(resnet(18, width=8), Settings({"coco": COCO}, (64, 64)), filters=4)
    before = model.get_weights()
    with pytest.raises(UsageError, match=r"deconv1/kernel has the shape \(4, 4, 8, 64\) and not"):
        start_from(model, files["topdown"])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_t12_a_checkpoint_of_another_network_names_the_tensor(tmp_path, capsys):
    """A run folder that was given the checkpoints of another one."""
    for name, nodes in (("a", 8), ("b", 16)):
        words = ("--epochs", 1, "--name", name, "--nodes", nodes)
        assert run_here("prn", tmp_path, *words) == 0
    shutil.rmtree(tmp_path / "a" / "checkpoints")
    shutil.copytree(tmp_path / "b" / "checkpoints", tmp_path / "a" / "checkpoints")
    best = (tmp_path / "a" / "best.keras").read_bytes()
    capsys.readouterr()
    assert run_here("prn", tmp_path, "--epochs", 1, "--name", "a") == 1
    assert "expected hidden1/kernel of shape (68, 8), received (68, 16)" in capsys.readouterr().err
    assert (tmp_path / "a" / "best.keras").read_bytes() == best
