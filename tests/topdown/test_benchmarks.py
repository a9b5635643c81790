import functools

import keras
import numpy as np
import pytest

from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.decoding import decode_heatmaps
from posekit.oks import oks_nms
from posekit.skeletons import COCO
from topdown import benchmark_loops, benchmarks
from topdown.recipe import TopDownRecipe
from topdown.settings import PoseReading, Settings


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    write_coco(root, "train", 3, size=(96, 128), people=(2, 3), heights=(0.7, 1))
    return load_coco(root, "train")


def test_loops_do_what_is_measured_beside_them():
    rng = np.random.default_rng(0)
    maps = rng.random((5, 16, 12, 17), np.float32)
    expected = decode_heatmaps(maps, 4, "sign")
    np.testing.assert_allclose(benchmark_loops.looped_decoding(maps, 4), expected, atol=1e-6)
    middle = rng.random((40, 1, 2)).round() * 50
    places = middle + rng.normal(0, 2, (40, 17, 2))
    keypoints = np.concatenate([places, np.ones((40, 17, 1))], axis=-1)
    people = keypoints, rng.random(40), rng.uniform(500, 5000, 40), np.array(COCO.sigmas)
    kept = benchmark_loops.looped_oks_nms(*people)
    np.testing.assert_array_equal(kept, oks_nms(*people))
    assert 4 <= len(kept) < 40


@pytest.fixture
def results(monkeypatch):
    """What the contestants return; they are said to take 2 and 1 seconds."""
    found = []

    def best_times(contestants, timing):
        found.extend(run() for run in contestants.values())
        return dict(zip(contestants, (2.0, 1.0), strict=True))

    monkeypatch.setattr(benchmarks, "best_times", best_times)
    return found


def lines(capsys):
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_prediction_is_set_against_the_network(dataset, results, capsys):
    crops = keras.Input((32, 24, 3))
    x = PoseReading(Settings({"coco": COCO}, size=(32, 24)), name="reading")(crops)
    network = keras.Model(crops, {"coco": keras.layers.Conv2D(17, 4, 4)(x)})
    images, boxes = benchmarks.boxed_images(dataset, 7)
    assert len(images) == len(boxes) and sum(map(len, boxes)) == 7
    benchmarks.prediction(network, (images, boxes), 3, benchmarks.Timing(1))
    assert lines(capsys) == [
        "people/s, 3 at a time",
        "image + boxes to poses 3.5 /s ours / this = 1.00",
        "network alone 7.0 /s ours / this = 0.50",
    ]
    assert len(results[0]) == len(images) and results[0][0].keypoints.shape[1:] == (17, 3)
    assert sum(map(len, benchmarks.boxed_images(None, 5)[1])) == 5


def test_decoding_and_doubles_are_set_against_loops_of_equal_results(results, capsys):
    benchmarks.decoding(3, benchmarks.Timing(1))
    benchmarks.doubles(6, benchmarks.Timing(1))
    assert lines(capsys) == [
        "maps of 3 people, 64x48x17",
        "decode_heatmaps 2000.00 ms this / ours = 1.00",
        "loop over people 1000.00 ms this / ours = 0.50",
        "OKS-NMS of 6 people",
        "oks_nms 2000.00 ms this / ours = 1.00",
        "loop over people 1000.00 ms this / ours = 0.50",
    ]
    decoded, looped, kept, looped_kept = results
    assert decoded.shape == (3, 17, 3)
    np.testing.assert_allclose(decoded, looped, atol=1e-6)
    np.testing.assert_array_equal(kept, looped_kept)


def test_both_pipelines_make_all_crops(dataset, results, monkeypatch, capsys):
    monkeypatch.setattr(benchmarks, "_exhaust", lambda samples: sum(1 for _ in samples))
    benchmarks.pipeline(dataset, TopDownRecipe(size=(64, 48)), 9, benchmarks.Timing(1, "cpu"))
    assert results == [9, 9]
    assert lines(capsys) == [
        "training crops/s, 64x48",
        "training pipeline 4.5 /s ours / this = 1.00",
        "each image decoded for each crop 9.0 /s ours / this = 0.50",
    ]


def test_the_best_round_counts_but_not_the_first(monkeypatch):
    now = [0.0]
    monkeypatch.setitem(benchmarks.CLOCKS, "wall", lambda: now[0])
    durations = {"a": iter((1, 5, 3, 4)), "b": iter((9, 2, 7, 8))}

    def run(name):
        now[0] += next(durations[name])

    contestants = {name: functools.partial(run, name) for name in durations}
    assert benchmarks.best_times(contestants, benchmarks.Timing(3)) == {"a": 3, "b": 2}


def test_an_unknown_recipe_is_refused():
    with pytest.raises(UsageError, match="'small'.*received 'huge'"):
        benchmarks.benchmark(None, "train", "huge", None, 1, 1, "small", 1, 1, "cpu")
