import gzip
import json
import tracemalloc

import numpy as np
import pytest

from posekit.detections import Detections, DetectionsError, read_detections, union, write_detections


def entry(image_id, bbox, score, category_id=1):
    return {"image_id": image_id, "category_id": category_id, "bbox": bbox, "score": score}


ENTRIES = [
    entry(7, [10, 20, 30, 40], 0.5),
    entry(3, [0, 0, 5, 5], 0.25),
    entry(7, [1.5, 2.5, 4, 8], 0.75),
    entry(7, [10, 20, 0, 40], 0.9),  # without width
    entry(7, [10, 20, 30, 40], 0.9, category_id=18),  # a dog
    entry(9, [0, 0, 5, 5], 0.125),
]


def write(path, entries):
    path.write_text(json.dumps(entries))
    return path


def random_detections(count, num_images=5000):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 500, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 300, (count, 2))], axis=1)
    return Detections(rng.integers(1, num_images, count), boxes, rng.random(count))


def test_columns_in_the_order_of_the_file_and_counts_of_what_is_left_out(tmp_path):
    found = read_detections(write(tmp_path / "boxes.json", ENTRIES), minimum=0.25)
    assert found.image_ids.tolist() == [7, 3, 7] and found.scores.tolist() == [0.5, 0.25, 0.75]
    assert found.boxes.tolist() == [[10, 20, 40, 60], [0, 0, 5, 5], [1.5, 2.5, 5.5, 10.5]]
    assert found.dropped == {"other_category": 1, "no_area": 1, "below_minimum": 1}
    dtypes = found.image_ids.dtype, found.boxes.dtype, found.scores.dtype
    assert dtypes == (np.int64, np.float32, np.float32)


def test_boxes_of_an_image_are_the_best_first_and_ties_in_order():
    boxes = np.arange(16.0).reshape(4, 4)
    found = Detections([7, 3, 7, 7], boxes, [0.5, 0.25, 0.75, 0.5])
    assert found.images == [3, 7]
    chosen, scores = found.of_image(7)
    assert scores.tolist() == [0.75, 0.5, 0.5] and chosen.tolist() == boxes[[2, 0, 3]].tolist()
    nobody, none = found.of_image(5)
    assert nobody.shape == (0, 4) and none.shape == (0,)


def test_folder_is_the_union_of_its_files(tmp_path):
    write(tmp_path / "b.json", ENTRIES[:1])
    with gzip.open(tmp_path / "a.json.gz", "wt") as file:
        json.dump(ENTRIES[1:4], file)
    write(tmp_path / "empty.json", [])
    (tmp_path / "notes.txt").write_text("no results")
    found = read_detections(tmp_path)
    assert found.image_ids.tolist() == [3, 7, 7] and found.scores.tolist() == [0.25, 0.75, 0.5]
    assert found.dropped["no_area"] == 1


@pytest.mark.parametrize("name", ["boxes.json", "boxes.json.gz"])
def test_what_is_written_is_read_again(tmp_path, name):
    given = random_detections(1000)
    write_detections(tmp_path / name, given)
    found = read_detections(tmp_path / name)
    np.testing.assert_array_equal(found.image_ids, given.image_ids)
    np.testing.assert_array_equal(found.scores, given.scores)
    np.testing.assert_array_equal(found.boxes[:, :2], given.boxes[:, :2])
    np.testing.assert_allclose(found.boxes, given.boxes, atol=1e-4)
    assert len(found) == 1000 and not any(found.dropped.values())


def test_nobody(tmp_path):
    write_detections(tmp_path / "none.json", union([]))
    found = read_detections(tmp_path / "none.json")
    assert len(found) == 0 and found.images == [] and found.boxes.shape == (0, 4)


def test_real_file(shared):
    name = "person_detections_val2017_yolo11n.json.gz"
    found = read_detections(shared / "data" / "coco_annotations" / name)
    assert len(found) + found.dropped["no_area"] == 172491 and len(found.images) == 2692


def test_many_images_are_found_by_an_index():
    found = random_detections(200_000)
    found.of_image(0)  # makes the index
    tracemalloc.start()
    rows = sum(len(found.of_image(image_id)[1]) for image_id in range(5001))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Boxes of one image at a time; comparing all ids for each image takes 200,000 bytes.
    assert rows == 200_000 and peak < 100_000


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(1, [0, 0, 5, 5], float("nan"))], "boxes.json: entry 0, field score"),
        ([entry(1, [0, 0, 5, float("inf")], 1)], "entry 0, field bbox"),
        ([entry(1, [0, 0, 5], 1)], "expected 4 numbers"),
        ([entry(1, [0, 0, -5, 5], 1)], "sizes of at least 0"),
        ([{"image_id": 1, "category_id": 1, "score": 1}], "field bbox"),
        ({"annotations": []}, "expected a list of results"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path, entries, message):
    with pytest.raises(DetectionsError, match=message) as error:
        read_detections(write(tmp_path / "boxes.json", entries))
    assert error.value.exit_code == 2


def test_missing_files_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(DetectionsError, match=r"absent\.json"):
        read_detections(tmp_path / "absent.json")
    with pytest.raises(DetectionsError, match=r"expected COCO results, \.json or \.json\.gz"):
        read_detections(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1], [[0, 0, 1, np.nan]], [0.5]), r"boxes: .* received nan at \(0, 3\)"),
        (([1], [[0, 0, 1, 1]], [np.inf]), "scores: .* received inf"),
        (([1, 2], [[0, 0, 1, 1]], [0.5]), r"image_ids: expected \(1,\), received \(2,\)"),
        (([1], [[0, 0, 1]], [0.5]), r"boxes: expected \(1, 4\)"),
        (([1.5], [[0, 0, 1, 1]], [0.5]), "image_ids: expected int64"),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(columns, message):
    with pytest.raises(DetectionsError, match=message):
        Detections(*columns)
