"""Official numbers: by hand, beside a direct pycocotools run, and on real files."""

import runpy
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from posekit.metrics.coco import CocoMetric, EvaluationError
from posekit.metrics.coco_files import evaluate_files
from posekit.metrics.coco_report import to_json, to_text, write_curves
from posekit.metrics.coco_truth import read_truth
from posekit.skeletons import COCO

tiny = types.SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("coco_files.py"))))
VALUES = {"keypoints": (17, 3), "bbox": (4,)}
KINDS = tuple(VALUES)


def evaluate(folder, content, entries, **options):
    return evaluate_files(*tiny.write(folder, content, entries), **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_stats_equal_a_direct_run_of_pycocotools(tmp_path, seed, kind):
    rng = np.random.default_rng(seed)
    content = tiny.random_truth(rng)
    entries = tiny.random_results(rng, content, kind, false=[3, 3, 60, 700][seed])
    scores = evaluate(tmp_path, content, entries)
    assert list(scores.stats) == tiny.pycocotools_stats(content, entries, kind)
    assert 0 < scores.stats[0] < 1 and scores.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_and_boxes_beside_keypoints_count_as_in_pycocotools(tmp_path, kind):
    rng = np.random.default_rng(9)
    content = tiny.random_truth(rng)
    entries = tiny.random_results(rng, content, "keypoints", false=40)
    for one in entries:  # with a box, pycocotools takes the area from there
        one["score"] = round(one["score"], 1)
        one["bbox"] = [10.0, 20.0, float(rng.uniform(1, 200)), float(rng.uniform(1, 200))]
    scores = evaluate(tmp_path, content, entries, kind=kind)
    assert list(scores.stats) == tiny.pycocotools_stats(content, entries, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_ground_truth_as_results_is_perfect(tmp_path, kind):
    content = tiny.random_truth(np.random.default_rng(2))
    for one in content["annotations"]:
        one["id"] -= 1  # pycocotools takes a person with the id 0 for "not matched"
    scores = evaluate(tmp_path, content, tiny.perfect(content, kind))
    found = scores.metrics
    for name in ("AP", "AP50", "AP75", "APM", "APL", "AR" if kind == "keypoints" else "AR100"):
        assert found[name] == pytest.approx(1, abs=1e-12)


def test_half_found_by_hand(tmp_path):
    people = [tiny.person(i, 1, seed=i, size=30.0 + i) for i in (1, 2)]
    entries = [
        tiny.entry(1, people[0]["bbox"], 0.9, "bbox"),
        tiny.entry(1, [500, 400, 20, 30], 0.8, "bbox"),
    ]
    scores = evaluate(tmp_path, tiny.truth(*people), entries)
    # Precision is 1 at the recalls 0, 0.01, ..., 0.5, then 0.
    assert scores.metrics["AP"] == pytest.approx(51 / 101)
    assert scores.metrics["AR100"] == 0.5
    assert scores.metrics["AP50"] == scores.metrics["AP75"] == pytest.approx(51 / 101)
    assert scores.metrics["APL"] is None and scores.stats[5] == -1
    assert scores.precisions["all"].shape == (10, 101)
    assert scores.precisions["all"][:, 50].tolist() == pytest.approx([1] * 10)
    assert scores.precisions["all"][:, 51].tolist() == [0] * 10


def test_oks_by_hand(tmp_path):
    one = tiny.person(1, 1, seed=1)
    shift, sigmas = 0.0, np.array(COCO.sigmas)
    while np.mean(np.exp(-(shift**2) / (2 * one["area"] * (2 * sigmas) ** 2))) > 0.725:
        shift += 0.1
    moved = np.reshape(one["keypoints"], (17, 3)) + [0, shift, 0]
    scores = evaluate(tmp_path, tiny.truth(one), [tiny.entry(1, moved.ravel().tolist(), 0.5)])
    # An OKS between 0.70 and 0.75 passes the thresholds 0.50 to 0.70, five of ten.
    assert [scores.metrics[name] for name in ("AP", "AR")] == pytest.approx([0.5, 0.5])
    assert scores.metrics["AP50"] == pytest.approx(1) and scores.metrics["AP75"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_images_by_arrays_in_any_order_equal_a_file(tmp_path, kind):
    rng = np.random.default_rng(5)
    content = tiny.random_truth(rng)
    entries = tiny.random_results(rng, content, kind, false=40)
    for one in entries:  # equal scores in different images: their order counts
        one["score"] = round(one["score"], 1)
    expected = evaluate(tmp_path, content, entries)
    metric = CocoMetric(read_truth(tmp_path / "truth.json"), kind)
    for image in reversed(content["images"]):
        own = [one for one in entries if one["image_id"] == image["id"]]
        values = np.reshape([one[kind] for one in own], (len(own), *VALUES[kind]))
        metric.update(image["id"], [one["score"] for one in own], values)
    assert metric.result().stats == expected.stats
    assert metric.result().images == expected.images


def test_metric_refuses_what_would_give_wrong_numbers(tmp_path):
    content = tiny.truth(tiny.person(1, 1, seed=1))
    path, _ = tiny.write(tmp_path, content, [])
    metric = CocoMetric(read_truth(path), "keypoints")
    for bad in (np.nan, np.inf, 1e30):
        with pytest.raises(ValueError, match="image 1: expected numbers below 1e"):
            metric.update(1, [0.5], np.full((1, 17, 3), bad))
        with pytest.raises(ValueError, match="diverged"):
            metric.update(1, [bad], np.zeros((1, 17, 3)))
    with pytest.raises(ValueError, match=r"keypoints \(N, 17, 3\).*received \(1,\) and \(1, 15, 3"):
        metric.update(1, [0.5], np.zeros((1, 15, 3)))
    with pytest.raises(ValueError, match="received id 4"):
        metric.update(4, [], np.zeros((0, 17, 3)))
    metric.update(1, [], np.zeros((0, 17, 3)))
    with pytest.raises(ValueError, match="id 1 again"):
        metric.update(1, [], np.zeros((0, 17, 3)))
    assert metric.result().stats[0] == 0
    counts = {"ground_truth": 3, "predicted": 0, "evaluated": 1, "skipped": 2, "unknown": 0}
    assert metric.result().images == counts


def test_other_skeletons_have_their_own_sigmas(tmp_path):
    names = ["left_shoulder", "right_shoulder", "head_top"]
    one = tiny.person(1, 1, seed=1, keypoints=[10, 10, 2, 60, 10, 2, 35, 40, 1], num_keypoints=3)
    content = tiny.truth(one, categories=[{"id": 1, "name": "person", "keypoints": names}])
    scores = evaluate(tmp_path, content, tiny.perfect(content, "keypoints"))
    assert scores.metrics["AP"] == pytest.approx(1)
    assert scores.protocol["sigmas"][:2] == [0.079, 0.079]
    with pytest.raises(EvaluationError, match=r"results.json: image 1: .*\(N, 3, 3\)"):
        evaluate(tmp_path, content, [tiny.entry(1, [1] * 51, 0.5)])


def test_report_has_all_numbers(tmp_path):
    content = tiny.random_truth(np.random.default_rng(3))
    scores = evaluate(tmp_path, content, tiny.perfect(content, "keypoints")[1:])
    shown = to_json(scores)
    assert shown["stats"] == list(scores.stats) and len(shown["names"]) == 10
    text = to_text(scores)
    for name, value in scores.metrics.items():
        assert f"{name:6s}{value:7.4f}" in text
    assert f"evaluated {scores.images['evaluated']}, skipped 0" in text
    write_curves(tmp_path / "curves.png", scores)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
@example(80936736, "keypoints")  # whose numbers change with the order of the people
def test_order_in_the_files_never_changes_the_stats(tmp_path_factory, seed, kind):
    rng = np.random.default_rng(seed)
    content = tiny.random_truth(rng, num_images=5)
    entries = tiny.random_results(rng, content, kind, false=30)
    folder = tmp_path_factory.mktemp("order")
    expected = evaluate(folder, content, entries)
    # Not the people: several without labels can equally take a result, and the last one gets it.
    rng.shuffle(entries)
    rng.shuffle(content["images"])
    found = evaluate(folder, content, entries)
    assert found.stats == expected.stats and found.results == expected.results


def test_person_detections_of_four_real_images(shared):
    folder = shared / "data" / "formats" / "coco"
    scores = evaluate_files(folder / "test_coco.json", folder / "test_coco_det_AP_H_56.json")
    assert scores.images["ground_truth"] == scores.images["evaluated"] == 4
    assert scores.people == {"ground_truth": 14, "ignored": 0}
    assert scores.metrics["AP"] == pytest.approx(0.7891, abs=5e-5)


@pytest.mark.slow
def test_person_detections_of_val2017(shared):
    folder = shared / "data" / "coco_annotations"
    scores = evaluate_files(
        folder / "person_keypoints_val2017_rebuilt.json.gz",
        folder / "person_detections_val2017_yolo11n.json.gz",
    )
    assert round(100 * scores.metrics["AP"], 2) == 53.25
    assert scores.images["evaluated"] == 2693 and scores.results["read"] == 172_491
