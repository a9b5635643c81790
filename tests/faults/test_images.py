"""Picture files that are no whole pictures, too large, turned, of every kind and shape."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from annotation_files import coco_person, coco_truth, write_coco
from colour_predictor import LEFT_WRIST, NOSE, ColourPredictor, marked
from pictures import (
    BITS,
    COLOUR,
    GREY,
    PALETTE,
    RGB,
    encoded,
    jpeg_bomb,
    png_16_bit,
    png_bomb,
    turned,
    with_alpha,
)
from PIL import Image
from script_runs import run_script

from posekit.datasets.coco import load_coco
from posekit.photos.photo_names import photos_of
from posekit.photos.predict_files import PhotoReader
from posekit.strict_json import read_json
from posekit.video.picture_folder import PictureFolder

ROOT = Path(__file__).parents[2]
NOBODY = 65534
READ = """
import os, sys, tracemalloc
from posekit.images import ImageError, read_image
if os.geteuid() == 0:
    os.setuid(int(sys.argv[2]))  # root may read everything
tracemalloc.start()
try:
    read_image(sys.argv[1])
except ImageError as error:
    assert str(error.path) == sys.argv[1]
    print(error.reason)
# At once: nothing was read that was worth reading.
assert tracemalloc.get_traced_memory()[1] < 2**20 and "tensorflow" not in sys.modules
"""
NO_FILES = {
    "empty": (lambda path: path.touch(), "the file is empty"),
    "html": (lambda path: path.write_text("<!DOCTYPE html>"), "received bytes that start with"),
    "missing": (lambda path: None, "No such file"),
    "folder": (Path.mkdir, "received a folder, pipe or device"),
    "pipe": (os.mkfifo, "received a folder, pipe or device"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "received a folder, pipe or device"),
    "unreadable": (lambda path: path.touch(0), "Permission denied"),
    "unreadable-folder": (lambda path: path.parent.chmod(0), "Permission denied"),
}


@pytest.fixture
def open_folder():
    """A folder that everybody may enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "inner").mkdir()
    yield folder / "inner"
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", NO_FILES)
def test_i2_what_is_no_picture_file_is_refused_at_once(kind, open_folder):
    make, reason = NO_FILES[kind]
    make(open_folder / "a.jpg")
    command = [sys.executable, "-c", READ, str(open_folder / "a.jpg"), str(NOBODY)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0 and reason in done.stdout, done.stderr


BOMBS = {
    "png-400-million": png_bomb(20000, 20000),
    "png-2500-million": png_bomb(50000, 50000),
    "jpeg-3600-million": jpeg_bomb(60000, 60000),
}
REFUSE = """
import sys
from pathlib import Path
from posekit.datasets.coco import load_coco
from posekit.images import ImageError, image_orientation, image_size, read_image
from posekit.photos.photo_names import photos_of
from posekit.photos.predict_files import PhotoReader
from posekit.video.faults import VideoError
from posekit.video.picture_folder import PictureFolder

def peak():
    # As getrusage's ru_maxrss, which however begins with the peak of the process that started us.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)

def refused(read):
    try:
        return read() is None
    except (ImageError, VideoError) as error:
        return "pixels" in str(error)

root = Path(sys.argv[1])
path, dataset = root / "val" / "1.png", load_coco(root, "val")
before = peak()
readers = (
    lambda: read_image(path),
    lambda: image_size(path),
    lambda: dataset.example(0),
    lambda: PhotoReader(photos_of([path])).example(0),
    lambda: PictureFolder(path.parent),
)
assert all(map(refused, readers))
assert image_orientation(path) == 1
print(peak() - before, "tensorflow" in sys.modules)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
@pytest.mark.parametrize("bomb", BOMBS)
def test_i4_bombs_are_refused_from_the_header(bomb, tmp_path):
    write_coco(tmp_path, coco_truth([coco_person(1, 1)], 1))
    (tmp_path / "val" / "1.png").write_bytes(BOMBS[bomb])
    command = [sys.executable, "-c", REFUSE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    kilobytes, decoder = done.stdout.split()
    assert int(kilobytes) < 50_000 and decoder == "False"


class Stub(ColourPredictor):
    """In the place of `multiposenet.prediction.Predictor`."""

    def __init__(self, *_):
        super().__init__()


@pytest.fixture
def stub(monkeypatch):
    """A detector whose keypoints are where colours are."""
    monkeypatch.setattr("multiposenet.prediction.Predictor", Stub)
    monkeypatch.setattr("multiposenet.model.load_multiposenet", lambda path: None)


ENCODERS = {
    "png": {"format": "PNG"},
    "jpg": {"format": "JPEG", "quality": 100, "subsampling": 0},
    "webp": {"format": "WEBP", "lossless": True},
}


@pytest.mark.parametrize("suffix", ENCODERS)
def test_i5_keypoints_are_in_stored_pixels_whatever_the_orientation(suffix, tmp_path, stub):
    truth = coco_truth([coco_person(1, 1)], 8)
    for image in truth["images"]:
        image["file_name"] = f"{image['id']}.{suffix}"
    write_coco(tmp_path, truth)
    for number in range(1, 9):
        path = tmp_path / "val" / f"{number}.{suffix}"
        Image.fromarray(marked()).save(path, **ENCODERS[suffix], exif=turned(number))
    done = run_script("predict", tmp_path / "val", "--output", tmp_path / "out")
    assert done.code == 0, done.err
    for number in range(1, 9):
        found = read_json(tmp_path / "out" / f"{number}.json")
        (x1, y1, x2, y2), keypoints = found["people"][0]["box"], found["people"][0]["keypoints"]
        assert (found["orientation"], found["height"], found["width"]) == (number, 48, 64)
        assert keypoints[0][:2] == list(NOSE) and keypoints[9][:2] == list(LEFT_WRIST)
        assert abs(np.array([x1, y1, x2, y2]) - [40, 12, 61, 18]).max() <= (suffix == "jpg")
    stored = [frame.image for frame in PictureFolder(tmp_path / "val").frames()]
    dataset = load_coco(tmp_path, "val")
    for number in range(8):  # data sets and folders of frames: as stored
        np.testing.assert_array_equal(dataset.example(number)["image"], stored[0])
        np.testing.assert_array_equal(stored[number], stored[0])


ANIMATION = {"save_all": True, "append_images": [PALETTE.rotate(180)]}
JPEG = encoded(COLOUR, "JPEG", quality=95)
KINDS = {
    "grey": (encoded(GREY, "PNG"), GREY),
    "grey-alpha": (encoded(with_alpha(GREY), "PNG"), GREY),
    "alpha": (encoded(with_alpha(COLOUR), "PNG"), COLOUR),
    "palette": (encoded(PALETTE, "PNG"), PALETTE),
    "1-bit": (encoded(BITS, "PNG"), BITS),
    "cmyk": (encoded(COLOUR.convert("CMYK"), "JPEG", quality=100), COLOUR),
    "16-bit": (png_16_bit(RGB[..., ::-1].astype(np.uint16) * 256 + 200), COLOUR),
    "16-bit-grey": (png_16_bit(np.asarray(GREY).astype(np.uint16) * 256), GREY),
    "gif": (encoded(PALETTE, "GIF"), PALETTE),
    "gif-animated": (encoded(PALETTE, "GIF", **ANIMATION), PALETTE),
    "webp": (encoded(with_alpha(COLOUR), "WEBP", lossless=True, exact=True), COLOUR),
    "bmp": (encoded(PALETTE, "BMP"), PALETTE),
}


@pytest.mark.parametrize("kind", KINDS)
def test_i6_every_kind_of_picture_gives_the_colours_of_its_rgb_twin(kind, tmp_path, capsys):
    data, twin = KINDS[kind]
    write_coco(tmp_path, coco_truth([coco_person(1, 1)], 1))
    path = tmp_path / "val" / "1.png"  # so that for half of them the extension is wrong
    path.write_bytes(data)
    images = [
        load_coco(tmp_path, "val").example(0)["image"],
        PhotoReader(photos_of([path])).example(0)["image"],
        next(PictureFolder(path.parent).frames()).image,
    ]
    for image in images:
        assert image.shape == (48, 64, 3) and image.dtype == np.uint8
        assert np.abs(image.astype(int) - np.asarray(twin.convert("RGB"))).max() <= 2
    noted = "of the animation" in capsys.readouterr().err
    assert noted == (kind == "gif-animated")
