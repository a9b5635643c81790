import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_networks import joined, photo
from tiny_topdown import random_network, spots, spotter

from posekit.checkpoints import save_keras
from posekit.photos.photo_names import photos_of
from posekit.photos.predict_files import predict_files
from posekit.strict_json import read_json
from topdown.photo_prediction import PhotoPredictor
from topdown.prediction import TopDownPredictor

ROOT = Path(__file__).parents[2]


def run(folder, *words):
    command = [sys.executable, ROOT / "scripts" / "predict.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)


def test_photos_become_files(tmp_path):
    save_keras(joined(), tmp_path / "boxes.keras")
    save_keras(random_network(), tmp_path / "poses.keras")
    Image.fromarray(photo(0)).save(tmp_path / "photo.png")
    refused = run(tmp_path, "photo.png", "--model", "poses.keras")
    assert refused.returncode == 2 and "received a model of kind topdown" in refused.stderr
    (tmp_path / "run").mkdir()
    (tmp_path / "boxes.keras").rename(tmp_path / "run" / "best.keras")
    models = "--detector", "run", "--model", "poses.keras"
    done = run(tmp_path, "photo.png", "--topdown", *models, "--as-annotations", "--flip")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "predictions"
    found = read_json(out / "photo.json")
    assert found["model"] == ["best.keras", "poses.keras"] and "mask" not in found
    assert found["people"] and len(found["people"][0]["keypoints"]) == 17
    assert all(0 <= person["box_score"] <= 1 for person in found["people"])
    wholes = {"results.json", "images.json", "annotations.json", "rejected.json"}
    assert {path.name for path in out.iterdir()} == wholes | {"photo.json", "photo.jpg"}


@pytest.mark.parametrize("orientation", [1, 6])
def test_people_are_where_they_are_whichever_way_the_photo_is_stored(tmp_path, orientation):
    """The spots' red one lies at (60, 40) of the stored pixels; the box is found upright."""
    places = np.array([[[60.0, 40], [90, 100], [40, 150]]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(spots(places, (200, 160))).save(tmp_path / "a.png", exif=exif)

    def detect(images):
        assert images[0].shape == ((200, 160, 3) if orientation == 1 else (160, 200, 3))
        height, width = images[0].shape[:2]
        return [(np.float32([[0, 0, width, height], [5, 5, 5, 9]]), np.float32([0.5, 0.9]))]

    predictor = PhotoPredictor(TopDownPredictor(spotter()), detect)
    (tmp_path / "out").mkdir()
    predict_files(predictor, photos_of([tmp_path / "a.png"]), tmp_path / "out", ("x", "y"))
    [person] = read_json(tmp_path / "out/a.json")["people"]
    np.testing.assert_allclose(np.array(person["keypoints"])[:, :2], places[0], atol=5)
    assert person["box"] == [0, 0, 160, 200] and person["box_score"] == 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--topdown", "--scales", 2), "no --scales beside --topdown"),
        (("--detector", "none.keras"), "--detector: expected --topdown"),
        (("--topdown", "--model", "none.keras"), "none.keras is missing"),
    ],
)
def test_options_that_are_refused(tmp_path, words, message):
    Image.fromarray(photo(0)).save(tmp_path / "photo.png")
    done = run(tmp_path, "photo.png", *words)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not done.stdout
