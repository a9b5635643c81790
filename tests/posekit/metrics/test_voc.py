import numpy as np
import pytest
from PIL import Image

from posekit.images import ImageError
from posekit.metrics.voc import PersonIoU, person_of_labels, read_labels

LABELS = np.array([[0, 15, 15, 255], [0, 15, 7, 255]], np.uint8)


def write(path, labels, mode="P"):
    image = Image.fromarray(labels)
    if mode == "P":
        image.putpalette([value for i in range(256) for value in ((37 * i) % 256, 255 - i, i // 2)])
    image.save(path)
    return path


@pytest.mark.parametrize("mode", ["P", "L"])
def test_indices_are_read_not_colours(tmp_path, mode):
    labels = read_labels(write(tmp_path / "labels.png", LABELS, mode))
    assert labels.dtype == np.uint8 and labels.tolist() == LABELS.tolist()


def test_void_does_not_count():
    predicted = np.array([[0, 1, 0, 1], [1, 1, 1, 0]], bool)
    metric = PersonIoU()
    metric.update(predicted, *person_of_labels(LABELS))
    # Found 2 of 3 person pixels, 2 false; the last column is void.
    assert metric.result() == {
        "iou": 2 / 5,
        "precision": 2 / 4,
        "recall": 2 / 3,
        "images": 1,
        "pixels": 6,
        "unknown_pixels": 2,
    }


def test_pixels_of_all_images_are_pooled():
    metric = PersonIoU()
    metric.update(np.ones((2, 2), bool), np.ones((2, 2), bool))
    metric.update(np.ones((6, 1), bool), np.zeros((6, 1), bool))
    assert metric.result()["iou"] == 4 / 10  # the mean over images would be 1 / 2


def test_nothing_gives_no_number():
    metric = PersonIoU()
    assert metric.result()["iou"] is None
    metric.update(np.zeros((3, 2), bool), np.zeros((3, 2), bool))
    assert metric.result()["iou"] is None and metric.result()["images"] == 1
    metric.update(np.zeros((3, 2), bool), np.ones((3, 2), bool), np.zeros((3, 2), bool))
    assert metric.result()["recall"] is None


def test_perfect_and_swapped():
    truth = np.random.default_rng(0).random((20, 30)) < 0.3
    metric, swapped = PersonIoU(), PersonIoU()
    metric.update(truth, truth)
    assert metric.result()["iou"] == metric.result()["precision"] == 1
    swapped.update(~truth, truth)
    assert swapped.result()["iou"] == 0


@pytest.mark.parametrize(
    "predicted", [np.ones((4, 2), bool), np.ones((2, 4), np.float32), np.ones((2, 4, 1), bool)]
)
def test_other_sizes_and_types_are_refused(predicted):
    metric = PersonIoU()
    with pytest.raises(ValueError, match=r"one size.*predicted \("):
        metric.update(predicted, *person_of_labels(LABELS))
    assert metric.result()["images"] == 0


def test_faulty_label_images_are_named(tmp_path):
    good = write(tmp_path / "good.png", LABELS)
    colours = tmp_path / "colours.png"
    Image.open(good).convert("RGB").save(colours)
    strange = write(tmp_path / "strange.png", LABELS + np.uint8(10))
    cut = tmp_path / "cut.png"
    cut.write_bytes(write(tmp_path / "big.png", np.zeros((99, 99), np.uint8)).read_bytes()[:-30])
    jpeg = tmp_path / "labels.jpg"
    Image.fromarray(LABELS).save(jpeg)
    cases = {colours: "into colours", strange: r"indices 0 to 20", cut: "whole PNG", jpeg: "PNG"}
    for path, message in cases.items():
        with pytest.raises(ImageError, match=message) as error:
            read_labels(path)
        assert path.name in str(error.value)
    with pytest.raises(ImageError, match="expected 1 to 5 pixels"):
        read_labels(good, max_pixels=5)
    with pytest.raises(ImageError, match="nowhere"):
        read_labels(tmp_path / "nowhere.png")
