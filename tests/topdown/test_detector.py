import keras
import numpy as np
import pytest

from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.resnet import resnet
from topdown.detector import DetectorError, PersonDetector, detect_people
from topdown.ssd import ssd
from topdown.ssd_settings import SsdSettings


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = ssd(SsdSettings(score_threshold=0.0), width=4)
    path = tmp_path_factory.mktemp("ssd") / "best.keras"
    model.save(path)
    return PersonDetector(path, batch_size=2)


def images(*sizes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def test_boxes_are_in_the_pixels_of_each_image(detector):
    sizes = ((40, 400), (200, 100), (160, 160))
    found = detector.predict(images(*sizes))
    assert len(found) == 3
    for (height, width), (boxes, scores) in zip(sizes, found, strict=True):
        assert (
            boxes.shape == (len(scores), 4)
            and len(scores) > 20
            and boxes.dtype == scores.dtype == np.float32
        )
        assert boxes.min() >= 0 and (boxes <= (width, height, width, height)).all()
        assert boxes[:, 2].max() > 0.6 * width and boxes[:, 3].max() > 0.6 * height
        assert (np.diff(scores) <= 0).all()


def test_batches_change_nothing(detector):
    shown = images((60, 90), (90, 60), (50, 50))
    for one, (boxes, scores) in zip(shown, detector.predict(shown), strict=True):
        ((alone, score),) = detector.predict([one])
        np.testing.assert_allclose(boxes, alone, atol=1e-3)
        np.testing.assert_allclose(scores, score, atol=1e-5)
    assert detector.predict([]) == []


@pytest.mark.parametrize(
    "image", [np.zeros((5, 5, 3)), np.zeros((5, 5), np.uint8), np.zeros((0, 5, 3), np.uint8)]
)
def test_other_images_are_refused(detector, image):
    with pytest.raises(DetectorError, match=r"image 1: expected \(H, W, 3\) uint8 RGB, received"):
        detector.predict([*images((5, 5)), image])


def test_files_that_hold_no_ssd_are_refused(tmp_path):
    with pytest.raises(DetectorError, match="train_ssd.py"):
        PersonDetector(tmp_path / "absent.keras")
    resnet(18, width=4).save(tmp_path / "other.keras")
    (tmp_path / "cut.keras").write_bytes(b"PK")
    for name in ("other.keras", "cut.keras"):
        with pytest.raises(DetectorError, match=f"{name}: expected an SSD"):
            PersonDetector(tmp_path / name)


def test_boxes_without_an_area_are_left_out(detector, monkeypatch):
    """Such as those that lie beyond the image before they are cut."""
    boxes = np.float32([[[10, 10, 90, 90], [310, 5, 340, 50], [20, 40, 20, 80], [5, -9, 9, 0]]])
    found = {"boxes": boxes, "scores": np.float32([[0.9, 0.8, 0.7, 0.6]]), "num": np.array([4])}
    monkeypatch.setattr(detector, "_run", lambda images: found)
    ((boxes, scores),) = detector.predict(images((300, 300)))
    np.testing.assert_allclose(boxes, [[10, 10, 90, 90]], atol=1e-4)
    np.testing.assert_allclose(scores, [0.9])


def test_the_boxes_of_a_data_set_have_the_ids_of_its_images(tmp_path):
    write_coco(tmp_path, "val", 4, (48, 64), seed=0, people=(1, 2))
    dataset = load_coco(tmp_path, "val").subset([3, 0, 2])
    dataset.path(1).write_bytes(b"no picture")
    batches = []

    def predict(pictures):
        batches.append(len(pictures))
        return [(np.float32([[0, 0, 5, 9]] * n), np.ones(n)) for n in range(len(pictures))]

    found, rejected = detect_people(predict, dataset, batch_size=3)
    assert batches == [2] and [e["path"] for e in rejected.entries()] == [dataset.path(1).name]
    assert found.image_ids.tolist() == [dataset.image_ids[2]]
