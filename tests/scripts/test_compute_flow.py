"""Flow files of a folder of pictures, of a video, and with a converted network."""

import errno
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from posekit.atomic_files import WriteError
from posekit.video.reading import open_video
from tracking.flo_files import FloFolder, read_flo
from tracking.flow import DisFlow
from tracking.flow_cache import CachedFlow

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "tests/reference/torch-2.13.0-flownet_s_narrow.pth.tar"


@pytest.fixture
def script(monkeypatch, capsys):
    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / f"scripts/{name}.py"), run_name="__main__")
        return ended.value.code or 0, capsys.readouterr()

    return run


@pytest.fixture
def pictures(tmp_path):
    """Four pictures of a pattern that moves 2 pixels to the right each."""
    rng = np.random.default_rng(0)
    pattern = cv2.GaussianBlur(rng.normal(128, 300, (64, 120, 3)), (0, 0), 2).clip(0, 255)
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        view = np.uint8(pattern[:, 16 - 2 * number : 112 - 2 * number])
        Image.fromarray(view).save(tmp_path / f"pictures/walk{number + 1}.png")
    return tmp_path / "pictures"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_flo_files_of_pictures(script, pictures, tmp_path):
    code, said = script("compute_flow", pictures, "--output", tmp_path / "flow")
    assert code == 0 and said.out.startswith("3 flows, 0 pairs skipped"), said
    assert names(tmp_path / "flow") == ["000000.flo", "000001.flo", "000002.flo"]
    first, second, *_ = open_video(pictures).frames()
    flow = FloFolder(tmp_path / "flow")(first, second)
    exact = DisFlow(consistency=False)(first, second)
    np.testing.assert_array_equal(flow.vectors, exact.vectors)
    assert np.abs(np.median(flow.vectors, axis=(0, 1)) - [2, 0]).max() < 0.1
    code, said = script("compute_flow", pictures, "--output", tmp_path / "flow")
    assert code == 2 and "without .flo files" in said.err


def test_files_by_name_with_unknown_pixels(script, pictures, tmp_path):
    words = "--naming", "name", "--consistency", "True", "--preset", "fast", "--longest-side", 64
    code, _ = script("compute_flow", pictures, "--output", tmp_path / "flow", *words)
    assert code == 0 and names(tmp_path / "flow") == ["walk1.flo", "walk2.flo", "walk3.flo"]
    reliable = read_flo(tmp_path / "flow/walk1.flo").reliable
    assert not reliable[:, -1].any() and reliable.mean() > 0.8


def test_damaged_pictures_and_sizes_are_skipped(script, pictures, tmp_path):
    (pictures / "walk2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Image.new("RGB", (50, 40)).save(pictures / "walk5.png")
    code, said = script("compute_flow", pictures, "--output", tmp_path / "flow")
    assert code == 3 and said.out.startswith("1 flows, 2 pairs skipped")
    assert names(tmp_path / "flow") == ["000002.flo"]
    assert "walk2.png" in said.err and "no frame between 0 and 2" in said.err
    assert "frames 3 and 4 differ in size" in said.err


def test_a_cache_is_what_a_tracker_will_look_for(script, pictures, tmp_path):
    words = "--output", tmp_path / "cache", "--form", "cache"
    for _ in range(2):
        code, said = script("compute_flow", pictures, *words)
        assert code == 0 and said.out.startswith("3 flows")
    assert len(names(tmp_path / "cache")) == 3
    cached = CachedFlow(DisFlow(longest_side=480), tmp_path / "cache")  # track.py's own
    frames = list(open_video(pictures).frames())
    assert all(cached.path_of(*pair).is_file() for pair in zip(frames, frames[1:], strict=False))


def test_a_converted_network(script, pictures, tmp_path):
    code, said = script("convert_flownet", CHECKPOINT, tmp_path / "net.keras")
    assert code == 0 and "FlowNet2-S, 11,399 parameters" in said.out
    words = "--model", tmp_path / "net.keras", "--output", tmp_path / "flow"
    code, said = script("compute_flow", pictures, *words)
    assert code == 0, said.err
    first, second, *_ = open_video(pictures).frames()
    from tracking.flownet import NetworkFlow, load_flow_network

    exact = NetworkFlow(load_flow_network(tmp_path / "net.keras"), False)(first, second)
    np.testing.assert_array_equal(read_flo(tmp_path / "flow/000000.flo").vectors, exact.vectors)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.mp4"], "absent.mp4"),
        (["PICTURES", "--longest-side", 5], "at least 16, received 5"),
        (["a.mp4", "--naming", "name"], "a folder of pictures"),
        (["PICTURES", "--model", "absent.keras"], "absent.keras is missing"),
        (["PICTURES", "--model", __file__], "expected a flow network"),
        (["PICTURES", "--output", __file__], "(File exists)"),
        (["PICTURES", "--output", f"{__file__}/a", "--form", "cache"], "(Not a directory)"),
    ],
)
def test_wrong_options_end_with_2(script, pictures, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    words = [pictures if word == "PICTURES" else word for word in words]
    code, said = script("compute_flow", *words)
    assert code == 2 and message in said.err
    assert not (tmp_path / "flow").exists()


@pytest.mark.parametrize(
    ("checkpoint", "output", "message"),
    [
        (CHECKPOINT, "m.h5", "ends in .keras"),
        (CHECKPOINT, "absent/m.keras", "OUTPUT: expected a file in a folder that exists"),
        ("absent.pth", "m.keras", "found none at"),
        (CHECKPOINT.with_name("torch-2.13.0-views.pt"), "m.keras", "conv1.0.weight"),
    ],
)
def test_what_cannot_be_converted_ends_with_2(script, tmp_path, checkpoint, output, message):
    code, said = script("convert_flownet", checkpoint, tmp_path / output)
    assert code == 2 and message in said.err and not list(tmp_path.iterdir())


def test_a_full_disk_is_no_fault_of_the_checkpoint(script, tmp_path, monkeypatch):
    def full(*_):
        raise WriteError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("posekit.checkpoints.save_keras", full)
    code, said = script("convert_flownet", CHECKPOINT, tmp_path / "net.keras")
    assert code == 1 and "no space left" in said.err and CHECKPOINT.name not in said.err
