import dataclasses
import json
import shutil
import tracemalloc

import cv2
import numpy as np
import pycocotools.mask
import pytest
from colour_predictor import (
    LEFT_WRIST,
    NOSE,
    ColourPredictor,
    Found,
    marked,
    predict,
    save,
)
from PIL import Image, ImageOps

from posekit import draw
from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.metrics.coco_files import evaluate_files
from posekit.metrics.coco_truth import read_truth
from posekit.photos.predict_files import check_numbers, photos_for
from posekit.photos.prediction_files import PICTURE_LIMIT, coco_people, draw_prediction
from posekit.poses import Poses, from_coco_results, read_coco_results
from posekit.skeletons import COCO
from posekit.strict_json import read_json


def decoded(mask):
    return pycocotools.mask.decode(mask).astype(bool)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_found_upright_is_written_in_stored_pixels(tmp_path, orientation):
    path = save(tmp_path / "photo.png", orientation=orientation)
    predict([path], tmp_path / "out", as_annotations=True)
    found = read_json(tmp_path / "out/photo.json")
    person = found["people"][0]
    assert (found["height"], found["width"], found["orientation"]) == (48, 64, orientation)
    assert person["box"] == [40, 12, 61, 18]
    assert person["keypoints"][0] == [*NOSE, 0.75]
    assert person["keypoints"][9] == [*LEFT_WRIST, 0.75]
    assert person["keypoints"][1] == [0, 0, 0]
    np.testing.assert_array_equal(decoded(found["mask"]), marked()[..., 2] > 128)
    entry = read_coco_results(tmp_path / "out/results.json", 17)[0]
    assert entry["keypoints"][27:30] == [*LEFT_WRIST, 0.75]
    annotations = read_json(tmp_path / "out/annotations.json")
    assert annotations["annotations"][0]["bbox"] == [40, 12, 21, 6]
    assert (annotations["images"][0]["width"], annotations["images"][0]["height"]) == (64, 48)


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_the_picture_is_upright(tmp_path, orientation):
    path = save(tmp_path / "photo.png", orientation=orientation)
    predict([path], tmp_path / "out")
    picture = cv2.imread(str(tmp_path / "out/photo.jpg"))[..., ::-1]
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    expected = draw_prediction(upright, ColourPredictor().find(upright), 0.2)
    assert np.abs(picture.astype(int) - expected).mean() < 6
    assert np.abs(upright.astype(int) - expected).mean() > 12


def test_all_is_written_about_a_photo(tmp_path):
    predict([save(tmp_path / "ü 日本 ☃.png")], tmp_path / "out")
    found = read_json(tmp_path / "out/ü 日本 ☃.json")
    people = found.pop("people")
    assert found.pop("mask")["size"] == [48, 64]
    assert found.pop("keypoint_names") == list(COCO.names)
    assert found == {
        "image": "ü 日本 ☃.png",
        "image_id": 1,
        "width": 64,
        "height": 48,
        "orientation": 1,
        "model": ["tiny.keras"],
        "skeleton": "coco",
    }
    assert [person["score"] for person in people] == [0.5, 0]
    assert [person["box_score"] for person in people] == [0.875, 0.0625]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("ü 日本 ☃.json", "ü 日本 ☃.jpg", "results.json", "images.json", "rejected.json")
    }
    # The second person has no keypoint.
    assert len(read_coco_results(tmp_path / "out/results.json", 17)) == 1


def bad_files(folder):
    good = save(folder / "good.jpg")
    cut = folder / "cut.jpg"
    cut.write_bytes(good.read_bytes()[:500])
    (folder / "page.jpg").write_text("<html>")
    (folder / "empty.jpg").touch()
    return [cut, folder / "missing.jpg", good, folder / "page.jpg", folder / "empty.jpg"]


@pytest.mark.parametrize("batch_size", [1, 2, 9])
def test_bad_photos_are_named_and_passed_over(tmp_path, capsys, batch_size):
    files = bad_files(tmp_path)
    done = predict(files, tmp_path / "out", batch_size=batch_size)
    assert (done.photos, done.skipped, done.people, done.clear) == (1, 4, 2, 1)
    assert done.exit_code == 3
    rejected = read_json(tmp_path / "out/rejected.json")
    names = [entry["path"] for entry in rejected]
    assert names == ["cut.jpg", "missing.jpg", "page.jpg", "empty.jpg"]
    assert "No such file" in rejected[1]["reason"] and "<html>" in rejected[2]["reason"]
    message = capsys.readouterr().err
    assert message.count("skipped: ") == 4 and all(name in message for name in names)
    assert [entry["id"] for entry in read_json(tmp_path / "out/images.json")] == [3]


def test_exit_codes(tmp_path):
    files = bad_files(tmp_path)
    assert predict([files[2]], tmp_path / "out").exit_code == 0
    assert read_json(tmp_path / "out/rejected.json") == []
    assert predict(files[:2], tmp_path / "none").exit_code == 2
    assert read_json(tmp_path / "none/results.json") == []


def test_equal_names_in_different_folders_stay_apart(tmp_path):
    for name, shift in (("x", 0), ("y", 1)):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "a.png", np.roll(marked(), shift, axis=1))
    predict([tmp_path / "x/a.png", tmp_path / "y/a.png"], tmp_path / "out")
    listed = read_json(tmp_path / "out/images.json")
    assert [(e["id"], e["file_name"], e["name"]) for e in listed] == [
        (1, "x/a.png", "a"),
        (2, "y/a.png", "a-2"),
    ]
    noses = [
        read_json(tmp_path / f"out/{e['name']}.json")["people"][0]["keypoints"][0] for e in listed
    ]
    assert noses == [[10, 5, 0.75], [11, 5, 0.75]]


def test_annotations_are_read_back_and_agree_with_the_results(tmp_path):
    folder = tmp_path / "val"
    folder.mkdir()
    for number, orientation in (("000000000785", 1), ("000000000139", 8)):
        save(folder / f"{number}.png", orientation=orientation)
    predict(sorted(folder.iterdir()), tmp_path / "out", as_annotations=True)
    (tmp_path / "annotations").mkdir()
    truth = tmp_path / "annotations/person_keypoints_val.json"
    shutil.copy(tmp_path / "out/annotations.json", truth)
    data = load_coco(tmp_path, "val")
    assert data.skeleton.names == COCO.names and data.skeleton.limbs == COCO.limbs
    assert data.image_ids.tolist() == [139, 785] and data.num_people.tolist() == [1, 1]
    assert not any(data.report[kind] for kind in ("bad_boxes", "bad_areas", "clipped_boxes"))
    for example in map(data.example, range(2)):  # reads the pictures and checks their sizes
        np.testing.assert_array_equal(example["boxes"], [[40, 12, 61, 18]])
        np.testing.assert_array_equal(
            example["keypoints"][0, [0, 1, 9]], [[*NOSE, 2], [0] * 3, [*LEFT_WRIST, 2]]
        )
        assert example["areas"] == 126
    assert read_truth(truth).num_labelled.tolist() == [2, 2]
    assert evaluate_files(truth, tmp_path / "out/results.json").metrics["AP"] == pytest.approx(1)
    results = read_coco_results(tmp_path / "out/results.json")
    assert list(from_coco_results(results, COCO)) == [139, 785]


def test_annotations_stay_inside_the_image_and_hold_clear_people_only(tmp_path):
    keypoints = np.zeros((3, 17, 3))
    keypoints[0, 3] = -0.5, 47.25, 0.9
    boxes = [[-5, 10, 30.004, 60], [70, 10, 80, 20], [1, 1, 1.001, 9]]
    entries = coco_people(Poses(keypoints, [0.5, 0.4, 0.3], boxes, COCO), 7, (48, 64), 11)
    assert [(e["id"], e["image_id"], e["bbox"], e["area"]) for e in entries] == [
        (11, 7, [0, 10, 30, 38], 1140)  # the others have no area inside
    ]
    assert entries[0]["keypoints"][9:12] == [0, 47, 2] and entries[0]["num_keypoints"] == 1
    assert json.dumps(entries).count("-0.0") == 0
    predict([save(tmp_path / "a.png")], tmp_path / "out", score=0.6, as_annotations=True)
    annotations = read_json(tmp_path / "out/annotations.json")
    assert annotations["annotations"] == [] and len(annotations["images"]) == 1
    assert len(read_json(tmp_path / "out/a.json")["people"]) == 2


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 9000)])
def test_photos_of_any_shape(tmp_path, size):
    path = save(tmp_path / "a.png", np.full((*size, 3), 90, np.uint8))
    assert predict([path], tmp_path / "out").exit_code == 0
    picture = cv2.imread(str(tmp_path / "out/a.jpg"))
    factor = min(1, PICTURE_LIMIT / max(size))
    assert picture.shape[:2] == tuple(max(1, round(edge * factor)) for edge in size)
    assert read_json(tmp_path / "out/a.json")["width"] == size[1]


def test_large_pictures_shrink_with_what_is_drawn(monkeypatch):
    found = ColourPredictor().find(marked())
    large = np.kron(marked(), np.ones((2, 2, 1), np.uint8))
    places = (found.poses.keypoints[..., :2] + 0.5) * 2 - 0.5
    keypoints = np.concatenate([places, found.poses.keypoints[..., 2:]], axis=-1)
    poses = dataclasses.replace(found.poses, keypoints=keypoints, boxes=found.poses.boxes * 2)
    double = Found(poses, found.box_scores, np.kron(found.mask, np.ones((2, 2), bool)))
    expected = draw_prediction(marked(), found, 0.2)
    monkeypatch.setattr("posekit.photos.prediction_files.PICTURE_LIMIT", 64)
    np.testing.assert_array_equal(draw_prediction(large, double, 0.2), expected)
    assert (expected == draw.LEFT).all(axis=-1).any() and not found.poses.keypoints.flags.writeable


def test_an_error_leaves_the_files_of_the_whole_as_they_were(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png")
    predict([path], tmp_path / "out")
    before = (tmp_path / "out/results.json").read_bytes()
    monkeypatch.setattr(ColourPredictor, "find", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict([path], tmp_path / "out", as_annotations=True)
    assert (tmp_path / "out/results.json").read_bytes() == before
    assert not list((tmp_path / "out").glob(".tmp*"))
    assert not (tmp_path / "out/annotations.json").exists()


def test_memory_does_not_grow_with_the_number_of_photos(tmp_path):
    files = [tmp_path / f"{i}.bmp" for i in range(32)]
    for file in files:
        save(file, marked((300, 400)))
    predict(files[:4], tmp_path / "out", batch_size=2)  # imports what is late
    peaks = [peak_memory(files[:8], tmp_path / "out"), peak_memory(files, tmp_path / "out")]
    assert peaks[1] - peaks[0] < 1_000_000  # 24 photos more have 9 million bytes


def peak_memory(files, folder):
    tracemalloc.start()
    predict(files, folder, batch_size=2, as_annotations=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_large_photos_go_in_smaller_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("posekit.photos.predict_files.PIXELS_AT_ONCE", 5000)
    sizes = [(40, 50), (40, 50), (40, 50), (90, 90), (10, 10)]
    files = [
        save(tmp_path / f"{i}.png", np.zeros((*size, 3), np.uint8)) for i, size in enumerate(sizes)
    ]
    predictor = ColourPredictor()
    predict(files, tmp_path / "out", predictor, batch_size=5)
    assert predictor.batches == [sizes[:2], sizes[2:3], sizes[3:4], sizes[4:]]
    listed = read_json(tmp_path / "out/images.json")
    assert [(entry["height"], entry["width"]) for entry in listed] == sizes


def test_the_output_folder_is_made_or_refused(tmp_path):
    path = save(tmp_path / "a.png")
    photos_for([str(path)], tmp_path / "new/folder")
    assert (tmp_path / "new/folder").is_dir()
    with pytest.raises(UsageError, match="--output: expected a folder, received"):
        photos_for([str(path)], path / "folder")
    with pytest.raises(UsageError, match=r"holds a\.png"):
        photos_for([str(path)], tmp_path)


@pytest.mark.parametrize(
    "numbers, option",
    [((1.5, (1,), 1), "score"), ((0.1, (1, -1), 1), "scales"), ((0.1, (1,), 0), "batch-size")],
)
def test_numbers_out_of_range_are_refused(numbers, option):
    with pytest.raises(UsageError, match=f"--{option}: expected"):
        check_numbers(*numbers)
