"""The conversion script, on files of PyTorch 2.13.0 and where PyTorch is not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from posekit.weights.state_dicts import read_state

ROOT = Path(__file__).parents[2]
TORCH_FILE = ROOT / "tests/reference/torch-2.13.0-views.pt"


def convert(*arguments):
    blocked = "import sys; sys.modules.update(dict.fromkeys(['torch', 'keras', 'tensorflow']));"
    program = f"{blocked} import runpy; sys.argv[0] = 'c'; runpy.run_path(r'{ROOT}"
    program += "/scripts/convert_torch.py', run_name='__main__')"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


@pytest.mark.parametrize(
    ("options", "order", "mean", "std"),
    [
        ([], [0, 1, 2], [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        (
            ["--order", "bgr", "--mean", 1, 2, 3, "--std", 4, 5, 6],
            [2, 1, 0],
            [1, 2, 3],
            [4, 5, 6],
        ),
    ],
)
def test_tensors_and_colours_are_written(options, order, mean, std, tmp_path):
    done = convert(TORCH_FILE, tmp_path / "w.npz", *options)
    assert done.returncode == 0, done.stderr
    state = read_state(tmp_path / "w.npz")
    np.testing.assert_array_equal(state["part"], [5, 6, 7, 8])
    assert state["colours/order"].tolist() == order
    np.testing.assert_allclose(state["colours/mean"], mean, rtol=1e-6)
    np.testing.assert_allclose(state["colours/std"], std, rtol=1e-6)


def test_what_cannot_be_converted_ends_with_2(tmp_path):
    done = convert(__file__, tmp_path / "w.npz")
    assert done.returncode == 2 and "expected a torch file of tensors" in done.stderr
    done = convert(TORCH_FILE, tmp_path / "w.npz", "--order", "bgr")
    assert done.returncode == 2 and "--mean and --std" in done.stderr
    assert list(tmp_path.iterdir()) == []
