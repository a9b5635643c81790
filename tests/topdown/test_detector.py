import keras
import numpy as np
import pytest

from posekit.resnet import resnet
from topdown.detector import DetectorError, PersonDetector
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
