import gzip
import json

import numpy as np
import pytest

from multiposenet.prn_evaluation import as_table, assignment_ap, crowded_images, floors
from multiposenet.prn_inputs import draw_labels, draw_people, own_cells
from multiposenet.prn_people import AnnotationError, load_people, prior_maps
from multiposenet.prn_samples import FIRST_SHARE, PrnSamples, easiest_first
from posekit.skeletons import COCO


def person(image_id, box, count=17, crowd=0):
    """A person whose keypoints lie on a diagonal of its box; `count` of them are labelled."""
    x, y, w, h = box
    share = (np.arange(17) + 0.5) / 17
    points = np.stack([x + share * w, y + share * h, np.full(17, 2.0)], axis=1)
    points[count:] = 0
    return {
        "image_id": image_id,
        "category_id": 1,
        "bbox": list(box),
        "area": w * h / 2,
        "iscrowd": crowd,
        "num_keypoints": count,
        "keypoints": points.ravel().tolist(),
    }


PEOPLE = [
    person(7, (10, 10, 100, 200)),
    person(5, (0, 0, 50, 80), count=4),
    person(7, (60, 10, 100, 200), count=2),
    person(7, (90, 20, 110, 190), count=12),
    person(7, (0, 0, 300, 300), count=0, crowd=1),
    person(5, (200, 200, 40, 40), count=0),
]


@pytest.fixture
def file(tmp_path):
    names = {"name": "person", "id": 1, "keypoints": list(COCO.names), "skeleton": []}
    content = {
        "images": [{"id": i, "height": 400, "width": 400, "file_name": f"{i}.jpg"} for i in (7, 5)],
        "annotations": [{"id": i, **one} for i, one in enumerate(PEOPLE, 1)],
        "categories": [names],
    }
    path = tmp_path / "annotations" / "person_keypoints_val.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    return path


def test_the_same_people_from_file_folder_and_gzip(file, tmp_path):
    packed = tmp_path / "people.json.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    for people in map(load_people, (file, packed)):
        assert people.image_ids.tolist() == [5, 7] and people.first.tolist() == [0, 2, 6]
        assert people.num_labelled.tolist() == [4, 0, 17, 2, 12, 0]
        assert people.boxes[2].tolist() == [10, 10, 110, 210]
        assert people.images.tolist() == [0, 0, 1, 1, 1, 1]
    assert len(load_people(tmp_path, "val")) == 6


def test_arrays_of_people(tmp_path):
    ids = np.array([9, 3, 9], np.int32)
    boxes = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], np.float32)
    keypoints = np.arange(3 * 17 * 3, dtype=np.int16).reshape(3, 17, 3)
    np.savez(tmp_path / "a.npz", image_id=ids, bbox=boxes, keypoints=keypoints)
    people = load_people(tmp_path / "a.npz")
    assert people.image_ids.tolist() == [3, 9] and people.first.tolist() == [0, 1, 3]
    assert people.keypoints[:, 0, 0].tolist() == [51, 0, 102]
    assert people.boxes.tolist() == [[5, 6, 12, 14], [1, 2, 4, 6], [9, 10, 20, 22]]
    with pytest.raises(AnnotationError, match="areas"):
        assignment_ap(floors(), people)
    np.savez(tmp_path / "b.npz", image_id=ids, bbox=0 * boxes, keypoints=keypoints)
    with pytest.raises(AnnotationError, match="3 people"):
        load_people(tmp_path / "b.npz")


def test_candidates_are_everybody_of_the_image_and_nobody_else(file):
    people = load_people(file)
    candidates = people.candidates(np.array([0, 1, 1]))
    assert candidates.shape == (3, 4, 17, 3)
    assert candidates[..., 2].sum(axis=(1, 2)).tolist() == [4, 31, 31]
    np.testing.assert_array_equal(candidates[1, 0, :, :2], people.keypoints[2, :, :2])


def test_selecting_keeps_images_in_step(file):
    people = load_people(file)
    kept = people.with_boxes("labelled")
    assert kept.num_labelled.tolist() == [4, 17, 2, 12] and kept.first.tolist() == [0, 1, 4]
    assert len(people.with_boxes("no-crowd")) == 5
    assert crowded_images(people).tolist() == [1]
    assert crowded_images(people, overlap=0.9).tolist() == []


def test_prior_is_the_mean_label(file):
    people = load_people(file).with_boxes("labelled")
    labels = draw_labels(*own_cells(people.keypoints, people.boxes)).numpy()
    counts = (people.keypoints[..., 2] > 0).sum(axis=0)
    np.testing.assert_allclose(prior_maps(people), labels.sum(axis=0) / counts, atol=1e-6)


def test_perfect_maps_reach_100_and_floors_do_not(file):
    people = load_people(file)
    labels = draw_labels(*own_cells(people.keypoints, people.boxes))
    methods = {"oracle": lambda inputs: labels} | floors(prior_maps(people))
    figures = assignment_ap(methods, people, subsets={"crowded": np.array([1])})
    for part in ("all", "crowded"):
        for rule in ("clean", "published"):
            assert figures[part]["oracle", rule].metrics["AP"] == pytest.approx(1)
    assert figures["all"]["identity", "clean"].metrics["AP"] < 1
    assert figures["all"]["oracle", "clean"].images["evaluated"] == 2
    assert figures["crowded"]["oracle", "clean"].images["evaluated"] == 1
    assert "oracle      clean         100.0" in as_table(figures)


def test_an_image_without_people_and_heatmap_inputs(file):
    people = load_people(file)
    people = people.select(people.images == 1)
    for kind in ("peaks", "heatmaps"):
        figures = assignment_ap(floors(), people, chunk=1, kind=kind)["all"]
        assert figures["softmax", "clean"].metrics["AP"] > 0.1


def test_chunks_do_not_change_the_figures(file):
    people, methods = load_people(file), floors()
    one, two = (assignment_ap(methods, people, chunk=chunk)["all"] for chunk in (1, 512))
    for key in one:
        assert one[key].stats == two[key].stats


def test_samples_hold_everybody_and_ask_for_oneself(file):
    people = load_people(file)
    samples = PrnSamples(people, np.array([2, 0]))
    candidates, boxes, own, ids = samples.arrays(np.array([0, 1]), np.array([0, 1]))
    assert ids.tolist() == [7, 5] and boxes.tolist() == [[10, 10, 110, 210], [0, 0, 50, 80]]
    assert candidates.shape == (2, 4, 17, 3)  # four people at most, also where there are two
    assert samples.arrays(np.array([1]), np.array([1]))[0].shape == (1, 4, 17, 3)
    assert candidates[..., 2].sum(axis=(1, 2)).tolist() == [31, 4]
    np.testing.assert_array_equal(own, people.keypoints[[2, 0]])
    inputs = draw_people(candidates, boxes).numpy()
    # A neighbour's first keypoint lies in the box as well, so channel 0 has more than one impulse.
    assert inputs[0, :, :, 0].sum() > 1.5


def test_loading_equals_reading(file):
    samples = PrnSamples(load_people(file), np.array([0, 2, 3]), jitter=0.05, false_peaks=0.5)
    indices, draws = np.array([2, 0, 1, 2]), np.arange(40, 44)
    candidates, boxes, own, ids = samples.arrays(indices, draws)
    assert candidates.shape == (4, 5, 17, 3)  # the false ones last
    loaded = list(samples.load(indices, draws).as_numpy_iterator())
    assert len(loaded) == 4
    for row, (people, targets, weights) in enumerate(loaded):
        np.testing.assert_array_equal(people["candidates"], candidates[row])
        np.testing.assert_array_equal(people["boxes"], boxes[row])
        np.testing.assert_array_equal(targets["boxes"], boxes[row])
        np.testing.assert_array_equal(targets["keypoints"], own[row])
        assert targets["image_id"] == ids[row] and not weights


def test_augmentation_depends_on_the_draw_alone(file):
    samples = PrnSamples(load_people(file), np.array([0, 2, 3]), jitter=0.05, false_peaks=0.5)
    together = samples.arrays(np.array([0, 1]), np.array([8, 9]))[0]
    alone = samples.arrays(np.array([1]), np.array([9]))[0]
    np.testing.assert_array_equal(together[1], alone[0])
    assert (samples.arrays(np.array([1]), np.array([10]))[0] != alone).any()
    plain = PrnSamples(samples.people, samples.rows)
    np.testing.assert_array_equal(
        plain.arrays(np.array([1]), np.array([9]))[0], plain.arrays(np.array([1]), np.array([1]))[0]
    )


def test_missing_peaks_are_no_candidates_but_stay_labels(file):
    samples = PrnSamples(load_people(file), np.array([0, 2, 3]), missing_peaks=0.5)
    indices, draws = np.zeros(200, np.int64), np.arange(200)
    candidates, _, own, _ = samples.arrays(indices, draws)
    plain = PrnSamples(samples.people, samples.rows).arrays(indices, draws)
    there = plain[0][0, :, :, 2] > 0
    share = candidates[:, :-1][:, there, 2].mean()
    assert 0.45 < share < 0.55
    np.testing.assert_array_equal(own, plain[2])


def test_a_curriculum_begins_with_the_easy_ones(file):
    people = load_people(file)
    rows = easiest_first(people, np.arange(len(people)))
    assert people.num_labelled[rows].tolist() == [17, 12, 4, 2, 0, 0]
    assert rows[-2:].tolist() == [5, 1]  # the larger box of the two without keypoints
    samples = PrnSamples(people, np.repeat(rows, 10), curriculum=1000)
    indices = np.arange(60)
    first = samples.chosen(indices, np.zeros(60, np.int64))
    assert set(first.tolist()) == set(rows[: int(6 * FIRST_SHARE) + 1].tolist())
    last = samples.chosen(indices, np.full(60, 1000))
    assert last.tolist() == samples.rows.tolist()


@pytest.mark.parametrize("content", ["{", "[]", '{"images": [], "annotations": []}'])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(AnnotationError, match="broken.json"):
        load_people(path)
    with pytest.raises(AnnotationError, match="nowhere"):
        load_people(tmp_path / "nowhere.json")


def test_floors_on_real_people(shared):
    file = shared / "data/coco_annotations/person_keypoints_val2017_rebuilt.json.gz"
    people = load_people(file)
    assert (len(people), len(people.image_ids), len(crowded_images(people))) == (11004, 2693, 292)
    some = np.arange(60)
    figures = assignment_ap(floors(), people, some)["all"]
    ap = {key: scores.metrics["AP"] for key, scores in figures.items()}
    assert ap["softmax", "clean"] > ap["identity", "clean"] > ap["Max", "clean"] > 0.2
    assert ap["softmax", "published"] < ap["softmax", "clean"]
