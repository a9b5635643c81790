import json

import h5py
import keras
import numpy as np
import pytest
from PIL import Image
from tiny_topdown import spots

from posekit.datasets.mpii import load_mpii
from posekit.metrics.coco import EvaluationError
from posekit.metrics.mpii_report import warnings_of
from posekit.skeletons import COCO, MPII, POSETRACK, Skeleton
from topdown.evaluate_mpii import evaluate_mpii_model, mpii_domain, predict_people
from topdown.prediction import TopDownPredictor
from topdown.settings import PoseReading, Settings

PLACES = np.array([[60.0, 60], [75, 90], [90, 120]])
NAMES = ("head_top", "neck", "pelvis")


@pytest.fixture
def folder(tmp_path):
    """Two photos: a person in each, and one more without keypoints in between."""
    (tmp_path / "images").mkdir()
    people = []
    for name, shift in (("a.png", 0), ("b.png", 15)):
        Image.fromarray(spots(PLACES[None] + shift, (180, 160))).save(tmp_path / "images" / name)
        rows = np.full((16, 2), -1.0)
        rows[[MPII.names.index(n) for n in NAMES]] = PLACES + shift + 1
        person = {
            "image": name,
            "joints": rows.tolist(),
            "joints_vis": [int(x > 0) for x, _ in rows],
        }
        people.append(person | {"center": [76.0 + shift, 80.0 + shift], "scale": 0.6})
    (tmp_path / "annot").mkdir()
    (tmp_path / "annot/valid.json").write_text(json.dumps(people))
    with h5py.File(tmp_path / "annot/annot_valid.h5", "w") as file:
        points = np.array([p["joints"] for p in people])
        file["part"] = np.where(points < 0, 0, points)
        file["normalize"] = np.array([20.0, 20.0])
    return tmp_path


def named_spotter():
    """Red spots are head tops, green ones necks, blue ones pelves."""
    skeleton = Skeleton("three", NAMES, (), (0, 1, 2), (0.1, 0.1, 0.1))
    crops = keras.Input((128, 128, 3), name="crops")
    x = PoseReading(Settings({"three": skeleton}, (128, 128)), name="reading")(crops)
    return keras.Model(crops, {"three": keras.layers.MaxPooling2D(1, 4)(x)})


def test_each_person_is_found_at_its_place_in_the_file(folder):
    model = named_spotter()
    model.save(folder / "spots.keras")
    scores = evaluate_mpii_model(folder / "spots.keras", folder)
    assert scores.people == {"ground_truth": 2, "predicted": 2}
    assert scores.at[0].mean == 100 and scores.keypoints == {"ground_truth": 6, "not_finite": 0}
    assert scores.protocol["results"] == "spots.keras" and scores.protocol["flip"] is False
    found, _ = predict_people(TopDownPredictor(model), load_mpii(folder, "valid", box="centre"), 3)
    assert np.isnan(found[2]).all() and np.isnan(found[:, MPII.names.index("thorax")]).all()
    heads = found[:2, MPII.names.index("head_top")]
    np.testing.assert_allclose(heads, [[60, 60], [75, 75]], atol=3)
    assert scores.protocol["domain"] == "three"


def test_the_head_of_mpii_is_read_wherever_it_stands():
    heads = {"coco": COCO, "posetrack": POSETRACK, "people": MPII}
    assert mpii_domain(Settings(heads)) == "people"
    assert mpii_domain(Settings({"coco": COCO, "posetrack": POSETRACK})) == "posetrack"


def test_damaged_images_count_as_wrong(folder):
    (folder / "images/a.png").write_bytes((folder / "images/a.png").read_bytes()[:60])
    named_spotter().save(folder / "spots.keras")
    scores = evaluate_mpii_model(folder / "spots.keras", folder)
    assert scores.at[0].mean == 50 and scores.people["predicted"] == 1
    assert "a.png" in warnings_of(scores)[0]


def test_a_truth_of_other_people_is_refused(folder):
    with h5py.File(folder / "annot_valid.h5", "w") as file:
        file["part"], file["normalize"] = np.ones((1, 16, 2)), np.ones(1)
    with pytest.raises(EvaluationError, match=r"annot_valid\.h5: .* at least 2, received 1"):
        evaluate_mpii_model(folder / "none.keras", folder, folder / "annot_valid.h5")


def test_a_truth_in_another_order_is_refused(folder):
    with h5py.File(folder / "annot/annot_valid.h5", "r+") as file:
        file["part"][:] = file["part"][()][::-1]
    with pytest.raises(
        EvaluationError, match=r"annot_valid\.h5: .*received 2 of 2 whose keypoints"
    ):
        evaluate_mpii_model(folder / "none.keras", folder)
