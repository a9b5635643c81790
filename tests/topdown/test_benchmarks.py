import re

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


def ratios(text, unit):
    return [
        float(number) for number in re.findall(rf"{unit} +(?:ours / this|this / ours) = (.+)", text)
    ]


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


def test_prediction_is_set_against_the_network(dataset, capsys):
    crops = keras.Input((32, 24, 3))
    x = PoseReading(Settings({"coco": COCO}, size=(32, 24)), name="reading")(crops)
    network = keras.Model(crops, {"coco": keras.layers.Conv2D(17, 4, 4)(x)})
    images, boxes = benchmarks.boxed_images(dataset, 7)
    assert len(images) == len(boxes) and sum(map(len, boxes)) == 7
    benchmarks.prediction(network, (images, boxes), 3, benchmarks.Timing(1))
    found = ratios(capsys.readouterr().out, "/s")
    assert found[0] == 1 and found[1] > 0 and len(found) == 2
    assert sum(map(len, benchmarks.boxed_images(None, 5)[1])) == 5


def test_decoding_and_doubles_are_set_against_loops(capsys):
    benchmarks.decoding(3, benchmarks.Timing(1))
    benchmarks.doubles(6, benchmarks.Timing(1))
    found = ratios(capsys.readouterr().out, "ms")
    assert len(found) == 4 and found[0] == found[2] == 1


def test_training_crops_are_counted(dataset, capsys):
    benchmarks.pipeline(dataset, TopDownRecipe(size=(64, 48)), 9, benchmarks.Timing(1, "cpu"))
    text = capsys.readouterr().out
    assert text.startswith("training crops/s, 64x48\n") and len(ratios(text, "/s")) == 2


def test_an_unknown_recipe_is_refused():
    with pytest.raises(UsageError, match="'small'.*received 'huge'"):
        benchmarks.benchmark(None, "train", "huge", None, 1, 1, "small", 1, 1, "cpu")
