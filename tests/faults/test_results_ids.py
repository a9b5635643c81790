"""Evaluations of files whose ids repeat or point nowhere, and of a part of the images."""

import json

import pytest
from annotation_files import (
    coco_person,
    coco_results,
    coco_truth,
    good_truth,
    posetrack17,
    posetrack18,
    write_coco,
)
from evaluations import EVALUATIONS, run_evaluation
from script_runs import run_script

from posekit.datasets.coco import DatasetError, load_coco


def faults():
    """Evaluation, side, how its good file is changed, what the message has to name."""
    truths = [
        (lambda c: c["images"].append(c["images"][1]), "unique image ids, received.* 2"),
        (lambda c: c["annotations"][1].update(id=3), "unique annotation ids, received.* 3"),
        (lambda c: c["annotations"][2].update(image_id=77), "annotation ids? 3: .*received 77"),
        (lambda c: c["annotations"][2].pop("image_id"), "annotation id 3: image_id"),
        (lambda c: c["annotations"][2].pop("bbox"), "annotation id 3: bbox"),
        (
            lambda c: c["annotations"][2].update(category_id=9),
            r"annotation ids \[3\]: .*category_id.*9",
        ),
        (lambda c: c["categories"].append({"id": 1, "name": "dog"}), r"unique category ids.*\[1\]"),
    ]
    for name in ("coco-keypoints", "coco-boxes", "voc-boxes"):
        yield from ((name, "truth", *fault) for fault in truths)
    for name in ("coco-keypoints", "coco-boxes"):
        yield name, "results", lambda c: c[2].update(image_id=77), "entry 2.*unknown ids.*77"
        yield name, "results", lambda c: c[1].update(category_id=9), "entry 1.*category_id.*9"
    for name, side in (("posetrack18", "truth"), ("posetrack18", "results")):
        people = [
            (
                lambda c: c["annotations"][3].update(track_id=0),
                "frame 1, .*101.jpg, person 1.*0 ag",
            ),
            (lambda c: c["annotations"][3].update(image_id=7), r"annotations\[3\], id 1011.*7"),
            (lambda c: c["images"].append(c["images"][0]), "(frames|image_ids).*(4|100)"),
        ]
        yield from ((name, side, *fault) for fault in people)
    yield (
        "posetrack18",
        "truth",
        lambda c: c["annotations"][2].pop("bbox_head"),
        "101.jpg, person 0",
    )
    yield (
        "posetrack18",
        "truth",
        lambda c: c["annotations"][2].update(id=1001),
        "annotation_ids.*1001",
    )
    yield (
        "posetrack18",
        "results",
        lambda c: c["annotations"][2].pop("track_id"),
        "101.jpg, person 0",
    )
    last = {"images": posetrack18()["images"][:2], "annotations": posetrack18()["annotations"][:4]}
    yield "posetrack18", "results", lambda c: c.update(last), "expected 3 frames.*received 2"
    yield "posetrack17", "results", lambda c: c["annolist"].pop(), "expected 3 frames.*received 2"
    twice = posetrack17()["annolist"][0]["annorect"] * 2
    for side in ("truth", "results"):
        change = lambda c: c["annolist"][1].update(annorect=twice)  # noqa: E731
        yield "posetrack17", side, change, "frame 1, .*101.jpg, person 1.*0 again"


@pytest.mark.parametrize(("name", "side", "change", "message"), list(faults()))
def test_a6_ids_that_repeat_or_point_nowhere_name_file_and_id(
    name, side, change, message, tmp_path
):
    content = json.loads(json.dumps(getattr(EVALUATIONS[name], side)()))
    change(content)
    done = run_evaluation(name, tmp_path, **{side: content})
    assert done.code == 2 and not done.out, done
    with pytest.raises(ValueError, match=rf"{side}\.json.*{message}"):
        raise ValueError(done.err)


TRAINING = [fault for fault in faults() if fault[:2] == ("coco-keypoints", "truth")]


@pytest.mark.parametrize(("_", "side", "change", "message"), TRAINING)
def test_a6_training_refuses_the_same_annotations(_, side, change, message, tmp_path):
    content = good_truth()
    change(content)
    write_coco(tmp_path, content)
    with pytest.raises(DatasetError, match=rf"val\.json.*{message}"):
        load_coco(tmp_path, "val")


def part():
    """Five images with a person each, and results on three of them."""
    truth = coco_truth([coco_person(i, i) for i in range(1, 6)], 5)
    results = [one | {"image_id": i} for i, one in zip((1, 2, 4), coco_results(), strict=True)]
    return truth, results


@pytest.mark.parametrize("name", ["coco-keypoints", "coco-boxes", "voc-boxes"])
def test_a7_images_with_and_without_results_are_counted_and_said(name, tmp_path):
    truth, results = part()
    if name != "coco-keypoints":
        boxes = coco_results("bbox")
        results = [one | {"image_id": i} for i, one in zip((1, 2, 4), boxes, strict=True)]
    done = run_evaluation(name, tmp_path, truth, results)
    found = json.loads(done.out)
    counts = {"ground_truth": 5, "predicted": 3, "evaluated": 5, "skipped": 0, "unknown": 0}
    assert found.get("coco", found)["images"] == counts
    assert "without results, their people count as missed: 2" in done.err
    recall = found.get("coco", found)["metrics"]["AR" if name == "coco-keypoints" else "AR100"]
    assert recall == pytest.approx(3 / 5)


def test_a7_a_part_is_evaluated_only_when_asked_for(tmp_path):
    truth, results = part()
    done = run_evaluation("coco-keypoints", tmp_path, truth, results, "--only-predicted")
    found = json.loads(done.out)
    counts = {"ground_truth": 5, "predicted": 3, "evaluated": 3, "skipped": 2, "unknown": 0}
    assert found["images"] == counts and found["metrics"]["AR"] == 1
    assert found["protocol"]["only_predicted"] and "skipped: 2" in done.err
    results.append(results[0] | {"image_id": 9})
    done = run_evaluation("coco-keypoints", tmp_path, truth, results, "--drop-unknown")
    found = json.loads(done.out)
    assert found["images"]["unknown"] == 1 and found["results"]["unknown_image"] == 1
    assert "left out: 1 results" in done.err
    table = run_script(
        *("eval_coco", "--annotations", tmp_path / "truth.json", "--results"),
        *(tmp_path / "results.json", "--drop-unknown"),
    )
    assert "images: ground truth 5, predicted 3, evaluated 5, skipped 0, unknown 1" in table.out


def test_a7_of_posetrack_every_sequence_needs_its_file(tmp_path):
    for side, names in (("truth", "abc"), ("results", "ab")):
        (tmp_path / side).mkdir()
        for name in names:
            (tmp_path / side / f"{name}.json").write_text(json.dumps(posetrack18()))
    files = "--annotations", tmp_path / "truth", "--results", tmp_path / "results"
    done = run_script("eval_posetrack", *files)
    assert done.code == 2 and "found none for c.json" in done.err
    (tmp_path / "truth/c.json").unlink()
    assert (
        json.loads(run_script("eval_posetrack", *files, "--json").out)["counts"]["sequences"] == 2
    )
