import gzip
import json

import numpy as np
import pytest

from multiposenet.group_files import group_files
from multiposenet.grouping_rows import group_people, scorer_of
from multiposenet.peak_files import PeakFileError, peaks_entry, read_peaks
from multiposenet.prn import prn
from multiposenet.prn_files import load_prn, skeleton_named
from posekit.skeletons import COCO, Skeleton, save_skeleton

THREE = Skeleton("three", ("nose", "left_hip", "right_hip"), ((1, 2),), (0, 2, 1), (0.05,) * 3)
SIZE = (6, 4)


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def peaks_file(folder, *entries):
    images = [{"image_id": i, "peaks": peaks} for i, peaks in entries]
    return write(folder / "peaks.json", {"images": images})


def read(folder, *entries, **options):
    return list(read_peaks(peaks_file(folder, *entries), THREE, **options))


def test_peaks_are_read_by_name_best_first(tmp_path):
    given = {"Left Hip": [[1, 2, 0.25], [3.5, 4, 0.75]], "nose": [[5, 6, 0.5]], "right_hip": []}
    [(image_id, peaks)] = read(tmp_path, (7, given))
    assert image_id == 7 and peaks.shape == (2, 3, 3)
    np.testing.assert_array_equal(peaks[:, 1], [[3.5, 4, 0.75], [1, 2, 0.25]])
    np.testing.assert_array_equal(peaks[:, 0], [[5, 6, 0.5], [0, 0, 0]])
    assert not peaks[:, 2].any()
    [(_, nothing)] = read(tmp_path, (7, {}))
    assert nothing.shape == (0, 3, 3)


def test_peaks_are_written_as_they_are_read_and_gzip_too(tmp_path):
    peaks = np.random.default_rng(0).uniform(1, 50, size=(4, 3, 3)).astype(np.float32)
    peaks = np.take_along_axis(peaks, np.argsort(-peaks[..., 2:], axis=0), axis=0)
    peaks[2:, 1] = 0
    text = json.dumps({"images": [peaks_entry(3, peaks, THREE)]})
    packed = tmp_path / "peaks.json.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    [(image_id, found)] = read_peaks(packed, THREE)
    assert image_id == 3
    np.testing.assert_array_equal(found, peaks)


def test_only_the_best_of_too_many_peaks_are_taken(tmp_path):
    many = [[i, 0, i / 100] for i in range(1, 101)]
    [(_, peaks)] = read(tmp_path, (1, {"nose": many}))
    assert len(peaks) == 64 and peaks[:, 0, 0].tolist() == list(range(100, 36, -1))


def test_unknown_types_are_named_or_dropped(tmp_path):
    given = {"nose": [[1, 1, 1]], "neck": [[2, 2, 1]]}
    with pytest.raises(PeakFileError, match=r"image_id 4, peaks: .* received neck; .*drop-unknown"):
        read(tmp_path, (4, given))
    [(_, peaks)] = read(tmp_path, (4, given), drop_unknown=True)
    np.testing.assert_array_equal(peaks, [[[1, 1, 1], [0, 0, 0], [0, 0, 0]]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [{"image_id": 1, "peaks": {"nose": [[1, NaN, 1]]}}]}', r"images\[0\]"),
        ('{"images": [{"image_id": 1, "peaks": {"nose": [[1, 2, 1e99]]}}]}', "of nose: .* finite"),
        ('{"images": [{"image_id": 1, "peaks": {"nose": [[1, 2, -1]]}}]}', "at least 0"),
        ('{"images": [{"image_id": 1, "peaks": {"nose": [[1, 2]]}}]}', "x, y, score"),
        ('{"images": [{"image_id": 1, "peaks": {"nose": [["1", "2", "3"]]}}]}', "x, y, score"),
        ('{"images": [{"image_id": 1, "peaks": {"nose": [[1, 2, 3], [1]]}}]}', "x, y, score"),
        ('{"images": [{"image_id": 1, "peaks": {"nose": 5}}]}', "x, y, score"),
        ('{"images": [{"image_id": 1, "peaks": {"nose": [], "Nose": []}}]}', "once"),
        ('{"images": [{"image_id": 1.5, "peaks": {}}]}', "whole number"),
        ('{"images": [{"image_id": 1, "peaks": []}]}', "by keypoint name"),
        ('{"images": [{"image_id": 1, "peaks": {}}, {"image_id": 1, "peaks": {}}]}', "1 again"),
        ('{"images": [], "people": 1}', "'people'"),
        ('{"other": []}', "'other'"),
        ("[]", "expected '{'"),
    ],
)
def test_what_no_program_should_write_is_refused(tmp_path, text, message):
    path = tmp_path / "peaks.json"
    path.write_text(text)
    with pytest.raises(PeakFileError, match=message) as caught:
        list(read_peaks(path, THREE))
    assert str(path) in str(caught.value)


def test_people_share_peaks_by_map_score_and_weight():
    # Two people in one place, two noses; each map is highest where its own impulses are.
    scorer = scorer_of(lambda inputs: inputs, 3, SIZE)
    peaks = np.zeros((2, 3, 3), np.float32)
    peaks[:, 0] = [[20, 30, 0.9], [22, 30, 0.5]]
    boxes = np.array([[0, 0, 40, 60], [0, 0, 40, 60], [5, 5, 5, 50]], np.float32)
    for weights, better in (((1, 0.5, 1), 0), ((0.5, 1, 1), 1)):
        poses = group_people(scorer, peaks, boxes, weights)
        assert poses.shape == (3, 3, 3) and not poses[2].any()  # no area, no keypoint
        np.testing.assert_array_equal(poses[better, 0], peaks[0, 0])
        np.testing.assert_array_equal(poses[1 - better, 0], peaks[1, 0])
    assert group_people(scorer, peaks[:0], boxes).shape == (3, 3, 3)
    assert group_people(scorer, peaks, boxes[:0]).shape == (0, 3, 3)
    with pytest.raises(ValueError, match="finite maps"):
        group_people(scorer_of(lambda inputs: inputs * np.nan, 3, SIZE), peaks, boxes)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prn")
    model = prn(3, SIZE, nodes=4)
    for weight in model.weights:  # softmax of the input
        weight.assign(np.zeros(weight.shape))
    model.save(folder / "prn.keras")
    save_skeleton(folder / "three.yaml", THREE)
    return {"model": folder / "prn.keras", "skeleton": str(folder / "three.yaml")}


def box(image_id, bbox, score=0.5, category_id=1):
    return {"image_id": image_id, "category_id": category_id, "bbox": bbox, "score": score}


def test_files_are_grouped_and_counted(tmp_path, network):
    peaks = peaks_file(
        tmp_path,
        (1, {"nose": [[10, 10, 0.5], [110, 10, 0.25]], "left_hip": [[12, 50, 1]]}),
        (2, {"nose": [[10, 10, 1]]}),
        (3, {}),
    )
    boxes = [
        *(box(1, [100, 0, 40, 60], 0.2), box(1, [0, 0, 40, 60]), box(1, [300, 0, 40, 60])),
        *(box(1, [0, 0, 40, 60], 0.1), box(1, [0, 0, 40, 0]), box(1, [0, 0, 40, 60], 1, 2)),
        *(box(3, [0, 0, 10, 10]), box(9, [0, 0, 10, 10])),
    ]
    boxes = write(tmp_path / "boxes.json", boxes)
    counts = group_files(
        peaks, boxes, tmp_path / "out.json", box_threshold=0.15, fill=False, **network
    )
    results = json.loads((tmp_path / "out.json").read_text())
    assert [entry["keypoints"] for entry in results] == [
        [10, 10, 0.5, 12, 50, 1, 0, 0, 0],
        [110, 10, 0.25, 0, 0, 0, 0, 0, 0],
    ]
    assert [entry["score"] for entry in results] == pytest.approx([0.5, 0.25 / 3])
    assert {(entry["image_id"], entry["category_id"]) for entry in results} == {(1, 1)}
    assert vars(counts) == {
        **{"images": 4, "images_without_boxes": 1, "images_without_peaks": 1, "peaks": 3},
        **{"boxes": 5, "boxes_left_out": 3, "poses": 2},
    }


def test_a_fault_leaves_an_old_file_alone(tmp_path, network):
    boxes = write(tmp_path / "boxes.json", [])
    output = write(tmp_path / "out.json", "old")
    peaks = peaks_file(tmp_path, (1, {}), (2, {"neck": []}))
    with pytest.raises(PeakFileError, match="image_id 2"):
        group_files(peaks, boxes, output, **network)
    assert output.read_text() == '"old"' and len(list(tmp_path.iterdir())) == 3
    counts = group_files(peaks, boxes, output, drop_unknown=True, **network)
    assert output.read_text() == "[]" and counts.images_without_boxes == 2


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (lambda model: load_prn(model, COCO), "of 17 keypoints.*received 3"),
        (lambda model: load_prn(model.parent / "three.yaml", THREE), "expected a trained PRN"),
        (lambda model: load_prn(model.parent / "no.keras", THREE), "is missing"),
        (lambda model: skeleton_named("hand"), "coco, mpii.*received 'hand'"),
        (lambda model: skeleton_named(str(model)), "prn.keras"),
    ],
)
def test_files_that_do_not_belong_are_named(network, load, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(network["model"])
    assert caught.value.exit_code == 2
