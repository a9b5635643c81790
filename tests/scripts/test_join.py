import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import parts, photo

from multiposenet.model import load_multiposenet, pose_head, predict_in_graph

ROOT = Path(__file__).parents[2]


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "join.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three finished runs."""
    folder = tmp_path_factory.mktemp("runs")
    names = ("keypoints", "detector", "prn")
    for name, network in zip(names, parts(), strict=True):
        (folder / name).mkdir()
        network.save(folder / name / "best.keras")
    return [folder / name for name in names]


def test_runs_are_joined_to_one_small_file(files, tmp_path):
    output = tmp_path / "new" / "model.keras"
    small = ("--shorter-edge", 64, "--canvas", 96, 96, "--box-threshold", 0, "--half")
    done = run(*files, "--output", output, *small)
    assert done.returncode == 0, done.stderr
    model = load_multiposenet(output)
    settings = pose_head(model).settings
    assert (settings.shorter_edge, settings.canvas, settings.nms) == (64, (96, 96), 0.3)
    assert f"{model.count_params()} parameters" in done.stdout
    before = parts()[0].get_layer("D2_conv1").kernel.numpy()
    kernels = {w.path: w.numpy() for w in model.weights}
    after = next(k for path, k in kernels.items() if path.endswith("D2_conv1/kernel"))
    np.testing.assert_array_equal(after, before.astype(np.float16).astype(np.float32))
    assert np.isfinite(predict_in_graph(model, photo()[None])["keypoints"]).all()


def test_what_cannot_be_joined_is_named(files, tmp_path):
    keypoints, detector, prn = files
    wrong = run(keypoints, prn, detector, "--output", tmp_path / "m.keras")
    assert wrong.returncode == 2 and "expected a person detector" in wrong.stderr
    gone = run(keypoints, tmp_path / "gone", prn)
    assert gone.returncode == 2 and "gone is missing" in gone.stderr
    other = run(*files, "--skeleton", "mpii", "--output", tmp_path / "m.keras")
    assert other.returncode == 2 and "16 of the skeleton mpii" in other.stderr
    assert not list(tmp_path.iterdir())
