"""Boxes and masks that cannot be: dropped or clipped by rule and listed, or refused by name."""

import json
import subprocess
import sys

import numpy as np
import pytest
from annotation_files import SIZE, coco_person, coco_truth, write_coco
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posekit.boxes import clip_boxes
from posekit.datasets.coco import DatasetError, load_coco
from posekit.detections import DetectionsError, read_detections
from posekit.metrics.coco_truth import read_truth

BOXES = 200
SIDES = st.one_of(
    st.sampled_from([0, -1, -1e9, 1e9, 1e5, 1e300, -0.0, 1e-9, *SIZE]),
    st.floats(-100, 200),
)
ODD_BOXES = st.lists(st.lists(SIDES, min_size=4, max_size=4), min_size=BOXES, max_size=BOXES)
OFTEN = settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@OFTEN
@given(ODD_BOXES)
def test_a2_odd_boxes_are_clipped_or_dropped_and_their_ids_listed(tmp_path, boxes):
    people = [coco_person(i, 1, bbox=box) for i, box in enumerate(boxes, 1)]
    write_coco(tmp_path, coco_truth(people, 1))
    data = load_coco(tmp_path, "val")
    x, y, width, height = np.array(boxes).T
    edges = np.stack([x, y, x + width, y + height], axis=1)
    inside = clip_boxes(edges, SIZE).astype(np.float32)
    possible = (width > 0) & (height > 0) & (np.abs(boxes) < 1e6).all(axis=1)
    possible &= (inside[:, 2:] > inside[:, :2]).all(axis=1)
    ids = np.arange(1, BOXES + 1)
    np.testing.assert_array_equal(data.index.annotation_ids, ids[possible])
    np.testing.assert_array_equal(data.annotations(0)["boxes"], inside[possible])
    assert data.report["bad_boxes"] == ids[~possible].tolist()
    moved = possible & (np.abs(inside - edges) > 0.02).any(axis=1)
    assert data.report["clipped_boxes"] == ids[moved].tolist()


@pytest.mark.parametrize("word", ["NaN", "Infinity", '"1"', "null", "[1]", "true" * 2])
def test_a2_what_is_no_number_is_refused_with_its_annotation(word, tmp_path):
    text = json.dumps(coco_truth([coco_person(7, 1, bbox=[1, 2, "@", 4])]))
    path = write_coco(tmp_path, text.replace('"@"', word))
    for read in (lambda: load_coco(tmp_path, "val"), lambda: read_truth(path)):
        with pytest.raises(ValueError, match=r"val\.json.*annotations\[0\]"):
            read()


def test_a2_the_official_numbers_want_every_box_as_it_is_but_no_negative_size(tmp_path):
    path = write_coco(tmp_path, coco_truth([coco_person(7, 1, bbox=[-5, -5, 300, 0])]))
    assert read_truth(path).boxes_xywh.tolist() == [[-5, -5, 300, 0]]
    path = write_coco(tmp_path, coco_truth([coco_person(7, 1, bbox=[30, 30, -20, -20])]))
    with pytest.raises(ValueError, match=r"annotation ids 7: .*width.*x, y, width, height"):
        read_truth(path)


@OFTEN
@given(ODD_BOXES)
def test_a2_odd_boxes_of_detectors_are_refused_or_dropped_and_counted(tmp_path, boxes):
    entries = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.5} for box in boxes]
    good = [
        one for one in entries if min(one["bbox"][2:]) >= 0 and max(map(abs, one["bbox"])) < 1e12
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(good))
    found = read_detections(tmp_path / "boxes.json")
    assert len(found) + found.dropped.get("no_area", 0) == len(good)
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    wrong = [i for i, one in enumerate(entries) if one not in good]
    if wrong:
        (tmp_path / "boxes.json").write_text(json.dumps(entries))
        with pytest.raises(DetectionsError, match=rf"boxes\.json: entry {wrong[0]}, field bbox"):
            read_detections(tmp_path / "boxes.json")


WHOLE = SIZE[0] * SIZE[1]
MASKS = {
    # segmentation, None where it is drawn, else a word of the message
    "far": ([[-9e5, -9e5, 9e5, -9e5, 9e5, 9e5]], None),
    "short": ([[1, 1, 2, 2]], None),
    "in a point": ([[5, 5] * 40], None),
    "crossing itself": ([[0, 0, 60, 40, 60, 0, 0, 40] * 500], None),
    "too far": ([[0, 0, 1e8, 0, 1e8, 1e8]], "below 1e"),
    "beyond float32": ([[0, 0, 1e300, 0, 1e300, 1e300]], "segmentation"),
    "nan": ("[[0, 0, NaN, 0, 9, 9]]", "finite"),
    "odd": ([[0, 0, 9, 0, 9, 9, 1]], "pairs"),
    "text": (["polygon"], "numbers"),
    "runs too short": ({"size": list(SIZE), "counts": [1, 2, 3]}, "fill"),
    "runs too long": ({"size": list(SIZE), "counts": [0, WHOLE, 1]}, "fill"),
    "negative runs": ({"size": list(SIZE), "counts": [-WHOLE, 2 * WHOLE]}, "fill"),
    "runs of 64 bits": ({"size": [2**31, 2**31], "counts": [2**62]}, "fill"),
    "another size": ({"size": SIZE[::-1], "counts": [WHOLE]}, "size of its image"),
    "cut text": ({"size": list(SIZE), "counts": "T3X6d"}, "cut or foreign|fill"),
    "foreign text": ({"size": list(SIZE), "counts": "\u2603" * 50}, "foreign"),
    "overrun": ({"size": list(SIZE), "counts": "o" * 4000}, "cut|longer"),
    "empty text": ({"size": list(SIZE), "counts": ""}, "cut or foreign"),
    "no size": ({"counts": "T3X6df2"}, "size"),
}
DRAW = """
import sys
from posekit.datasets.coco import DatasetError, load_coco
for folder in sys.argv[1:]:
    try:
        masks = load_coco(folder, "val").masks(0)
        print("drawn", int(masks["person_mask"].sum()), flush=True)
    except DatasetError as error:
        print(error, flush=True)
"""


def test_a3_masks_are_checked_before_native_code_sees_them(tmp_path):
    folders = []
    for number, (segmentation, _) in enumerate(MASKS.values()):
        text = json.dumps(coco_truth([coco_person(5, 1, segmentation="@")], 1))
        shape = segmentation if isinstance(segmentation, str) else json.dumps(segmentation)
        write_coco(tmp_path / str(number), text.replace('"@"', shape))
        folders.append(str(tmp_path / str(number)))
    done = subprocess.run([sys.executable, "-c", DRAW, *folders], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # a segmentation fault is -11
    lines = done.stdout.splitlines()
    assert len(lines) == len(MASKS)
    for line, (name, (_, message)) in zip(lines, MASKS.items(), strict=True):
        if message is None:
            assert line.startswith("drawn"), (name, line)
        else:
            assert "annotations[0]" in line or "annotation id 5" in line, (name, line)
            with pytest.raises(DatasetError, match=message):
                raise DatasetError(line)
