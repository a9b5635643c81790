"""Label images of Pascal VOC that cannot be taken at their word."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from script_runs import ROOT, run_script

from multiposenet.prediction import Predictor

SIZE = (48, 64)
LABELS = np.zeros(SIZE, np.uint8)
LABELS[8:40, 8:32] = 15  # a person
LABELS[8:40, 32:56] = 12  # a dog
LABELS[:4] = 255
PALETTE = [value for i in range(256) for value in (37 * i % 256, 255 - i, i // 2)]


def indexed(labels):
    picture = Image.fromarray(labels)
    picture.putpalette(PALETTE)
    return picture


PICTURES = {
    "good": indexed(LABELS),
    "colours": indexed(LABELS).convert("RGB"),
    "turned": indexed(LABELS.T.copy()),
    "strange": indexed(np.full(SIZE, 77, np.uint8)),
    "grey": Image.fromarray(LABELS),
}


@pytest.fixture
def folder(tmp_path):
    for name in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (tmp_path / name).mkdir(parents=True)
    for name, picture in PICTURES.items():
        picture.save(tmp_path / f"SegmentationClass/{name}.png")
        Image.new("RGB", SIZE[::-1], (90, 120, 60)).save(tmp_path / f"JPEGImages/{name}.jpg")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("\n".join(PICTURES))
    return tmp_path


def everywhere(_, images):
    """Finds people in every pixel."""
    return [SimpleNamespace(mask=np.ones(image.shape[:2], bool)) for image in images]


def test_a9_indices_are_read_void_is_ignored_and_the_rest_is_named(folder, monkeypatch):
    monkeypatch.setattr(Predictor, "predict", everywhere)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    model = ROOT / "pretrained/multiposenet-mobilenetv2.keras"
    done = run_script("eval_voc", model, "--data", folder, "--json")
    assert done.code == 3, done.err
    report = json.loads(done.out)
    assert report["images"] == {"listed": 5, "evaluated": 2, "skipped": 3, "damaged": 3}
    # The person's share of what is not void, twice.
    person, known = 32 * 24, 44 * 64
    assert report["mask"]["pixels"] == 2 * known and report["mask"]["unknown_pixels"] == 2 * 4 * 64
    assert report["mask_iou"] == pytest.approx(person / known)
    reasons = {one["path"]: one["reason"] for one in report["damaged"]}
    assert "turned these into colours" in reasons["colours.png"]
    assert "48 x 64, received 64 x 48" in reasons["turned.png"]
    assert "received 77" in reasons["strange.png"] and len(reasons) == 3
    assert all(name in done.err for name in reasons)
    assert before == {path: path.read_bytes() for path in before}
