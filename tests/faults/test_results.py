"""Evaluations of files that are not finite, empty, of other images, or only a part."""

import json

import numpy as np
import pytest
from annotation_files import (
    coco_results,
    coco_truth,
    peaks,
    posetrack18,
)
from evaluations import EVALUATIONS, run_evaluation, run_mpii
from script_runs import run_script

NOT_FINITE = ("NaN", "Infinity", "-Infinity", "1e999")
PART = np.array([[[10.0 + k, 20.0 + k] for k in range(16)]] * 2)
MPII = {"part": PART, "normalize": np.array([30.0, 30.0])}


def numbers(value, path=()):
    """Paths of the first number under each field's name, wherever in the tree."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:1])
    for key, item in items:
        if isinstance(item, (dict, list)):
            yield from numbers(item, (*path, key))
        elif type(item) in (int, float):
            yield (*path, key)


def spoilt(content, path, text):
    """The content as text, with a word of JSON in the place of one number."""
    content = holder = json.loads(json.dumps(content))
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = "@"
    return json.dumps(content).replace('"@"', text)


def refused(done, *words):
    """Ended by our own error that names the words, without any figures."""
    assert done.code == 2 and not done.out, (done.code, done.err)
    assert all(word in done.err for word in words), done.err


def pckh(done):
    """The mean at 0.5 that eval_mpii printed."""
    assert done.code == 0, done.err
    return json.loads(done.out, parse_constant=pytest.fail)["pckh"]["0.5"]["mean"]


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a4_numbers_that_are_not_finite_are_refused_in_every_field(name, tmp_path):
    good = run_evaluation(name, tmp_path)
    assert good.code == 0 and "NaN" not in good.out
    for side in ("truth", "results"):
        content = getattr(EVALUATIONS[name], side)()
        paths = list(numbers(content))
        assert len(paths) >= 4
        for path in paths:
            for text in NOT_FINITE if path == paths[0] else NOT_FINITE[:1]:
                done = run_evaluation(name, tmp_path, **{side: spoilt(content, path, text)})
                refused(done, f"{side}.json", "finite")


def test_a4_of_mpii_a_number_that_is_not_finite_is_a_miss_and_counted(tmp_path):
    assert pckh(run_mpii(tmp_path, MPII, PART + 1)) == 100  # pixels from 0, those of .h5 from 1
    for value in (np.nan, np.inf):
        preds = PART.copy()
        preds[0, :8] = value
        done = run_mpii(tmp_path, MPII, preds)
        # 6 of these 8 count (no pelvis, no thorax), of 28.
        assert pckh(done) == pytest.approx(100 * 22 / 28) and "counted as wrong: 8" in done.err
    refused(
        run_mpii(tmp_path, MPII, json.dumps(PART.tolist()).replace("10.0", "NaN")), "preds.json"
    )
    done = run_mpii(tmp_path, MPII | {"normalize": np.array([30.0, np.nan])}, PART)
    refused(done, "annot_valid.h5: person 1", "head")


@pytest.mark.parametrize("field", [0, 2])
def test_a4_peaks_and_boxes_to_group_or_to_merge(field, tmp_path):
    boxes, points = tmp_path / "boxes.json", tmp_path / "peaks.json"
    output = tmp_path / "out.json"
    output.write_text("old")
    boxes.write_text(json.dumps(coco_results("bbox")))
    points.write_text(spoilt(peaks(), ("images", 1, "peaks", "nose", 0, field), "NaN"))
    group = "group", "--peaks", points, "--boxes", boxes, "--output", output
    refused(run_script(*group), "peaks.json", "finite")
    assert output.read_text() == "old"
    points.write_text(json.dumps(peaks()))
    boxes.write_text(spoilt(coco_results("bbox"), (2, "bbox", field), "1e999"))
    refused(run_script(*group), "boxes.json", "entry 2", "finite")
    refused(run_script("merge_detections", boxes, boxes, "--output", output), "entry 2", "finite")
    assert output.read_text() == "old"


EMPTY = [
    # evaluation, side that is empty, its content, a figure, its value, a word of the warning
    ("coco-keypoints", "results", [], ("metrics", "AP"), 0, "no results"),
    ("coco-keypoints", "truth", coco_truth([]), ("metrics", "AP"), None, "nobody"),
    ("coco-boxes", "results", [], ("metrics", "AP"), 0, "no results"),
    ("coco-boxes", "truth", coco_truth([]), ("metrics", "AP"), None, "nobody"),
    ("voc-boxes", "results", [], ("voc", 0, "every_point"), 0, "no results"),
    ("voc-boxes", "truth", coco_truth([]), ("voc", 0, "every_point"), None, "nobody"),
    ("posetrack18", "results", posetrack18() | {"annotations": []}, ("ap", 15), 0, "no predicted"),
    ("posetrack18", "truth", posetrack18() | {"annotations": []}, ("ap", 15), None, "no annotated"),
]


@pytest.mark.parametrize(("name", "side", "content", "figure", "value", "warning"), EMPTY)
def test_a5_empty_results_and_nobody_annotated(
    name, side, content, figure, value, warning, tmp_path
):
    done = run_evaluation(name, tmp_path, **{side: content})
    assert done.code == 0, done.err
    found = json.loads(done.out, parse_constant=pytest.fail)
    counts = found.get("coco", found).get("images") or found["counts"]
    for key in figure:
        found = found[key]
    assert found == value and counts and warning in done.err.lower()


def test_a5_empty_results_of_mpii_and_nothing_to_group_or_merge(tmp_path):
    done = run_mpii(tmp_path, MPII, [[[None, None]] * 16] * 2)
    assert pckh(done) == 0 and "counted as wrong: 32" in done.err
    done = run_mpii(tmp_path, MPII | {"part": 0 * PART}, PART)
    assert pckh(done) is None and "nobody has" in done.err
    empty, output = tmp_path / "none.json", tmp_path / "out.json"
    empty.write_text("[]")
    assert run_script("merge_detections", empty, empty, "--output", output).code == 0
    assert output.read_text() == "[]"
    (tmp_path / "peaks.json").write_text('{"images":[]}')
    files = "--peaks", tmp_path / "peaks.json", "--boxes", empty, "--output", output
    done = run_script("group", *files)
    assert done.code == 0 and json.loads(output.read_text()) == [] and "poses: 0" in done.out
