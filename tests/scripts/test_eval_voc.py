import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_networks import joined

from multiposenet.evaluate_segmentation import evaluate, to_json, to_text, warnings_of
from multiposenet.prediction import Predictor
from multiposenet.segmentation_options import SegmentationEvaluation, check
from multiposenet.voc_folder import VocFolder
from posekit.commands import UsageError
from posekit.datasets.coco import DatasetError

ROOT = Path(__file__).parents[2]
PALETTE = [value for i in range(256) for value in ((37 * i) % 256, 255 - i, i // 2)]
PEOPLE, EMPTY, CUT = "2007_000033", "2007_000042", "2007_000061"


class Columns:
    """Finds people in columns 10 to 29 of every image."""

    def predict(self, images):
        assert all(image.dtype == np.uint8 and image.shape[2] == 3 for image in images)
        return [types.SimpleNamespace(mask=self.find(*image.shape[:2])) for image in images]

    def find(self, height, width):
        return np.tile((np.arange(width) >= 10) & (np.arange(width) < 30), (height, 1))


def add(root, name, labels, size=None):
    image = Image.new("RGB", (size or labels.shape)[::-1], (90, 120, 60))
    image.save(root / "JPEGImages" / f"{name}.jpg")
    picture = Image.fromarray(labels)
    picture.putpalette(PALETTE)
    picture.save(root / "SegmentationClass" / f"{name}.png")


def set_ids(root, *names):
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("\n".join(names) + "\n")
    return VocFolder(root, "val")


@pytest.fixture
def root(tmp_path):
    """People and dogs within a void border; an image without people; a cut image."""
    for folder in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (tmp_path / folder).mkdir(parents=True)
    labels = np.full((20, 40), 255, np.uint8)
    labels[2:18, 2:20] = 15
    labels[2:18, 20:38] = 12
    add(tmp_path, PEOPLE, labels)
    add(tmp_path, EMPTY, np.zeros((10, 30), np.uint8))
    add(tmp_path, CUT, labels)
    path = tmp_path / "JPEGImages" / f"{CUT}.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    set_ids(tmp_path, CUT, PEOPLE, EMPTY)
    return tmp_path


def test_pixels_are_pooled_and_void_does_not_count(root):
    pictures = []
    scores = evaluate(Columns(), VocFolder(root, "val"), batch_size=2, pictures=pictures)
    true, false, missed = 16 * 10, 16 * 10 + 10 * 20, 16 * 8
    assert scores.mask == {
        "iou": true / (true + false + missed),
        "precision": true / (true + false),
        "recall": true / (true + missed),
        "images": 2,
        "pixels": 16 * 36 + 10 * 30,
        "unknown_pixels": 20 * 40 - 16 * 36,
    }
    assert scores.images == {"listed": 3, "evaluated": 2, "skipped": 1, "damaged": 1}
    assert scores.exit_code(0.01) == 3 and [one["path"] for one in scores.damaged] == [f"{CUT}.jpg"]
    assert [picture.shape for picture in pictures] == 2 * [(20, 40, 3)] + 2 * [(10, 30, 3)]
    assert f"person mask IoU {true / (true + false + missed):.4f}" in to_text(scores)


def test_what_cannot_be_used_is_named_with_its_reason(root):
    labels = np.zeros((12, 16), np.uint8)
    add(root, "turned", labels, size=(16, 12))
    add(root, "unlabelled", labels)
    (root / "SegmentationClass" / "unlabelled.png").unlink()
    folder = set_ids(root, "turned", CUT, "absent", "unlabelled")
    scores = evaluate(Columns(), folder)
    assert scores.exit_code(0.01) == 2 and scores.mask["iou"] is None
    reasons = {one["path"]: one["reason"] for one in scores.damaged}
    assert "size of turned.jpg, 16 x 12, received 12 x 16" in reasons.pop("turned.png")
    assert "No such file" in reasons.pop("absent.jpg")
    assert "No such file" in reasons.pop("unlabelled.png")
    assert reasons.keys() == {f"{CUT}.jpg"}
    assert len(warnings_of(scores)) == 5 and "no image was" in warnings_of(scores)[-1]
    assert json.loads(json.dumps(to_json(scores), allow_nan=False))["mask_iou"] is None


def test_only_the_first_images(root):
    scores = evaluate(Columns(), set_ids(root, EMPTY, PEOPLE, CUT), images=1)
    assert scores.images == {"listed": 3, "evaluated": 1, "skipped": 2, "damaged": 0}
    assert scores.exit_code(0.01) == 0 and scores.mask["pixels"] == 300


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((), "at least one image id"),
        ((f"{PEOPLE} -1",), "line 1: .* not of Main"),
        (("../secret",), "line 1"),
        ((PEOPLE, "", PEOPLE), "line 3: .* as in line 1"),
    ],
)
def test_lists_that_are_none_are_refused(root, ids, message):
    with pytest.raises(DatasetError, match=message) as error:
        set_ids(root, *ids)
    assert error.value.exit_code == 2


def test_other_folders_are_refused_with_what_is_missing(root):
    with pytest.raises(DatasetError, match=r"SegmentationClass/ID.png.*\nnot found: .*test.txt"):
        VocFolder(root, "test")
    with pytest.raises(DatasetError, match=r"not found: .*JPEGImages, .*SegmentationClass, "):
        VocFolder(root / "JPEGImages", "val")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 0}, "--images"),
        ({"batch_size": 0}, "--batch-size"),
        ({"scales": (0.0,)}, "--scales"),
        ({"mask_threshold": float("nan")}, "--mask-threshold"),
        ({"picture": Path("nowhere/at/all.png")}, "--picture"),
    ],
)
def test_options_out_of_their_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        check(SegmentationEvaluation(Path("d"), **options))


def test_a_model_on_a_folder(root):
    joined().save(root / "tiny.keras")
    words = root / "tiny.keras", "--data", root, "--flip", "--mask-threshold", 0, "--json"
    command = [sys.executable, ROOT / "scripts" / "eval_voc.py", *map(str, words)]
    command += ["--picture", str(root / "masks.png")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    predictor = Predictor(joined(), flip=True, mask_threshold=0.0)
    expected = evaluate(predictor, VocFolder(root, "val")).mask
    assert report["mask"] == pytest.approx(expected, rel=0.01) and expected["iou"] > 0.1
    assert report["mask_iou"] == report["mask"]["iou"]
    assert report["images"] == {"listed": 3, "evaluated": 2, "skipped": 1, "damaged": 1}
    protocol = report["protocol"]
    assert protocol["models"] == ["tiny.keras"] and protocol["canvas"] == [[96, 96]]
    assert protocol["flip"] is True and protocol["scales"] == [1.0]
    assert protocol["mask_threshold"] == 0 and protocol["split"] == "val"
    assert f"{CUT}.jpg" in done.stderr and "Traceback" not in done.stderr
    with Image.open(root / "masks.png") as picture:
        assert picture.size == (2 * 40 + 4, 2 * 20 + 4)
