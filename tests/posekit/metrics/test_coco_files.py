"""What files may be wrong in, and what is counted."""

import gzip
import runpy
import types
from pathlib import Path

import numpy as np
import pytest

from posekit.metrics.coco import EvaluationError
from posekit.metrics.coco_files import evaluate_files
from posekit.metrics.coco_report import to_text, warnings_of, write_curves

tiny = types.SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("coco_files.py"))))
ONE = tiny.person(1, 1, seed=1)
GOOD = tiny.entry(1, ONE["keypoints"], 0.9)


def evaluate(folder, content, entries, **options):
    return evaluate_files(*tiny.write(folder, content, entries), **options)


def changed(thing, **fields):
    return {**thing, **fields}


def without(thing, field):
    return {name: value for name, value in thing.items() if name != field}


@pytest.mark.parametrize("kind", ["keypoints", "bbox"])
def test_no_results(tmp_path, kind):
    content = tiny.truth(ONE)
    if kind == "bbox":
        content["categories"] = [{"id": 1, "name": "person"}]
        content["annotations"] = [without(ONE, "keypoints")]
    scores = evaluate(tmp_path, content, [])
    assert scores.kind == kind
    assert scores.metrics["AP"] == scores.metrics["APM"] == 0 and scores.metrics["APL"] is None
    assert scores.images["predicted"] == 0 and scores.images["evaluated"] == 3
    assert any("no results" in line for line in warnings_of(scores))


NOBODY = {
    "no people": [],
    "only crowds": [changed(ONE, iscrowd=1)],
    "nobody labelled": [changed(ONE, keypoints=[0] * 51, num_keypoints=0)],
}


@pytest.mark.parametrize("people", NOBODY.values(), ids=NOBODY)
@pytest.mark.parametrize("entries", [[GOOD], []])
def test_no_ground_truth(tmp_path, people, entries):
    scores = evaluate(tmp_path, tiny.truth(*people), entries)
    assert scores.stats == (-1,) * 10 and set(scores.metrics.values()) == {None}
    assert any("nobody" in line for line in warnings_of(scores))
    assert "none" in to_text(scores)
    write_curves(tmp_path / "curves.png", scores)


def test_no_images(tmp_path):
    assert evaluate(tmp_path, tiny.truth(images=[]), []).stats == (-1,) * 10


RESULTS = {
    "NaN": (
        '[{"image_id": 1, "category_id": 1, "keypoints": [NaN], "score": 1}]',
        "field keypoints.*(?i:nan)",
    ),
    "too large": (
        '[{"image_id": 1, "category_id": 1, "keypoints": [1, 1, 1], "score": 1e999}]',
        "field score.*(?i:inf)",
    ),
    "infinite score": ([changed(GOOD, score=float("-inf"))], "entry 0, field score: .*(?i:-inf)"),
    "cut": ('[{"image_id": 1, "categ', "expected JSON"),
    "an object": ({"annotations": []}, "expected a list of results"),
    "numbers": ([1, 2], "entry 0, expected field keypoints or bbox"),
    "a number among entries": ([GOOD, 5], "entry 1, expected an object"),
    "masks": ([without(GOOD, "keypoints")], "entry 0, expected field keypoints or bbox"),
    "both kinds": ([GOOD, tiny.entry(1, [1, 2, 3, 4], 1, "bbox")], "entry 1, field keypoints"),
    "no score": ([without(GOOD, "score")], "entry 0, field score"),
    "score as text": ([changed(GOOD, score="0.9")], "entry 0, field score"),
    "huge number": ([changed(GOOD, keypoints=[10**400] * 51)], "entry 0, field keypoints"),
    "float32 maximum": ([changed(GOOD, keypoints=[3.4e38] * 51)], "entry 0, field keypoints"),
    "image id as text": ([changed(GOOD, image_id="1")], "entry 0, field image_id"),
    "no triples": ([changed(GOOD, keypoints=[1, 2, 3, 4])], "triples, received 4"),
    "fewer keypoints": ([GOOD, changed(GOOD, keypoints=[1, 2, 3])], "entry 1, .*51 numbers"),
    "other skeleton": ([changed(GOOD, keypoints=[1] * 45)], "17, 3.* and .1, 15, 3"),
    "negative width": ([tiny.entry(1, [5, 5, -1, 9], 1, "bbox")], "entry 0, field bbox: .*-1"),
    "box in one only": ([changed(GOOD, bbox=[1, 2, 3, 4]), GOOD], "entry 1, field bbox: .*none"),
    "unknown category": (
        [changed(GOOD, category_id=0)],
        "category_id: .*the person is 1.*received 0",
    ),
    "unknown images": (
        [GOOD, changed(GOOD, image_id=77), changed(GOOD, image_id=66), changed(GOOD, image_id=77)],
        "entry 1, field image_id: .*2 unknown ids in 3 entries: 66, 77; .*--drop-unknown",
    ),
}


@pytest.mark.parametrize("entries, message", RESULTS.values(), ids=RESULTS)
def test_faulty_results_are_named(tmp_path, entries, message):
    with pytest.raises(EvaluationError, match=rf"(?s)results\.json: .*{message}") as error:
        evaluate(tmp_path, tiny.truth(ONE), entries)
    assert error.value.exit_code == 2


OTHER = tiny.person(2, 1, seed=2)
TRUTHS = {
    "repeated image": (tiny.truth(ONE, images=[1, 2, 2, 1]), "unique image ids.*: 1, 2$"),
    "repeated person": (tiny.truth(ONE, changed(OTHER, id=1)), "unique annotation ids.*: 1$"),
    "unknown image": (
        tiny.truth(ONE, changed(OTHER, image_id=9)),
        "annotation ids 2: .*received 9",
    ),
    "no image id": (changed(tiny.truth(ONE), images=[{"file_name": "1.jpg"}]), r"images\[0\]: id"),
    "no area": (tiny.truth(without(ONE, "area")), "annotation id 1: area"),
    "negative area": (tiny.truth(changed(ONE, area=-1)), "annotation ids 1: .*-1"),
    "negative height": (tiny.truth(changed(ONE, bbox=[1, 2, 3, -4])), "annotation ids 1: .*-4"),
    "three box numbers": (tiny.truth(changed(ONE, bbox=[1, 2, 3])), "annotation id 1: bbox"),
    "wrong keypoints": (tiny.truth(changed(ONE, keypoints=[1, 2, 2])), "expected 51 .* received 3"),
    "NaN": (tiny.truth(changed(ONE, area=float("nan"))), "received nan"),
    "crowd of 2": (tiny.truth(changed(ONE, iscrowd=2)), "annotation id 1: iscrowd"),
    "no category": (tiny.truth(ONE, categories=[]), "categories: expected one named 'person'"),
    "cut": ('{"images": [{"id": 1}', "line 1, column"),
    "a list": ("[]", "expected '{'"),
}


@pytest.mark.parametrize("content, message", TRUTHS.values(), ids=TRUTHS)
def test_faulty_ground_truth_is_named(tmp_path, content, message):
    with pytest.raises(EvaluationError, match=rf"(?s)truth\.json: .*{message}"):
        evaluate(tmp_path, content, [GOOD])


def test_missing_file_is_named(tmp_path):
    with pytest.raises(EvaluationError, match="nowhere.json"):
        evaluate_files(tmp_path / "nowhere.json", tmp_path / "nowhere.json")


def test_keypoints_need_ground_truth_with_keypoints(tmp_path):
    content = tiny.truth(without(ONE, "keypoints"), categories=[{"id": 1, "name": "person"}])
    with pytest.raises(EvaluationError, match="truth.json: expected a person category that names"):
        evaluate(tmp_path, content, [GOOD])


def test_what_a_file_need_not_say(tmp_path):
    one = without(without(ONE, "num_keypoints"), "iscrowd")
    content = tiny.truth(one, categories=[{"id": 1, "name": "human"}])
    assert evaluate(tmp_path, content, [GOOD]).metrics["AP"] == pytest.approx(1)


def test_unknown_images_are_left_out_when_asked(tmp_path):
    entries = [GOOD, changed(GOOD, image_id=77), changed(GOOD, image_id=77, score=1)]
    scores = evaluate(tmp_path, tiny.truth(ONE), entries, drop_unknown=True)
    assert scores.metrics["AP"] == pytest.approx(1)
    assert scores.images["unknown"] == 1 and scores.results["unknown_image"] == 2
    assert scores.results["read"] == 3 and scores.results["evaluated"] == 1


def test_counts_of_a_subset(tmp_path):
    people = [tiny.person(i, i, seed=i) for i in range(1, 6)]
    content = tiny.truth(*people, images=range(1, 6))
    entries = [tiny.entry(i, people[i - 1]["keypoints"], 0.5) for i in (1, 2, 4)]
    whole = evaluate(tmp_path, content, entries)
    expected = {"ground_truth": 5, "predicted": 3, "evaluated": 5, "skipped": 0, "unknown": 0}
    assert whole.images == expected and whole.metrics["AR"] == pytest.approx(0.6)
    part = evaluate(tmp_path, content, entries, only_predicted=True)
    assert part.images == expected | {"evaluated": 3, "skipped": 2}
    assert part.metrics["AR"] == pytest.approx(1) and part.people["ground_truth"] == 3
    assert any("skipped: 2" in line for line in warnings_of(part))
    assert any("missed: 2" in line for line in warnings_of(whole))


def test_results_beyond_twenty_an_image_do_not_count(tmp_path):
    low = [tiny.entry(1, tiny.person(0, 1, seed=9 + i)["keypoints"], 0.8) for i in range(20)]
    scores = evaluate(tmp_path, tiny.truth(ONE), [changed(GOOD, score=0.1), *low])
    assert scores.metrics["AP"] == 0 and scores.results["beyond_limit"] == 1


def test_other_categories_are_counted_and_left_out(tmp_path):
    dog = {"id": 18, "name": "dog"}
    animal = without(tiny.person(2, 1, seed=3, category_id=18), "keypoints")
    entries = [GOOD, changed(GOOD, category_id=18, score=1.0)]
    content = tiny.truth(ONE, animal, categories=[dog, tiny.CATEGORY])
    scores = evaluate(tmp_path, content, entries)
    assert scores.metrics["AP"] == pytest.approx(1)
    assert scores.results["other_category"] == 1 and scores.people["ground_truth"] == 1
    # A fault of another category does not matter, one of the person does.
    animal["area"] = None
    content = tiny.truth(ONE, animal, categories=[dog, tiny.CATEGORY])
    assert evaluate(tmp_path, content, entries).stats == scores.stats


def packed(path, data=None):
    target = path.with_name(path.name + ".gz")
    target.write_bytes(gzip.compress(path.read_bytes()) if data is None else data)
    return target


def test_gzipped_files(tmp_path):
    rng = np.random.default_rng(0)
    content = tiny.random_truth(rng)
    paths = tiny.write(tmp_path, content, tiny.random_results(rng, content, "bbox"))
    plain = evaluate_files(*paths)
    found = evaluate_files(*map(packed, paths))
    assert found.stats == plain.stats and found.protocol["results"] == "results.json.gz"


def test_gzipped_faults_name_the_file_itself(tmp_path):
    paths = tiny.write(tmp_path, tiny.truth(ONE), [changed(GOOD, score=float("nan"))])
    with pytest.raises(EvaluationError, match=r"results\.json\.gz: entry 0, field score"):
        evaluate_files(paths[0], packed(paths[1]))
    for data in (
        b"",
        b"no gzip",
        gzip.compress(b"[]" * 99)[:-9],
        gzip.compress(b"[]")[:-8] + b"12345678",
    ):
        with pytest.raises(EvaluationError, match=r"truth\.json\.gz: "):
            evaluate_files(packed(paths[0], data), tiny.write(tmp_path, {}, [GOOD])[1])
