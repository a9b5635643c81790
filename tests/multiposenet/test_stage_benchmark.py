import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from script_runs import help_at_once
from tiny_networks import joined

from multiposenet import benchmark_scenes
from multiposenet.benchmark_models import model_of_file, random_models
from multiposenet.benchmark_scenes import make_scene
from multiposenet.block_costs import BLOCKS, block_costs, dense_macs, image_macs
from multiposenet.model import pose_head
from multiposenet.pose_stages import make_stages, whole_model
from multiposenet.prn import prn
from multiposenet.stage_benchmark import benchmark, line_table
from multiposenet.stage_timing import STAGES, WHOLE, Timings, least_squares, theil_sen
from posekit.commands import UsageError
from posekit.skeletons import COCO

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark.py"
CANVAS = (160, 224)
SETTINGS = {"box_threshold": 0.05, "max_people": 50, "peak_threshold": 0.1, "max_peaks": 30}


@pytest.fixture(scope="module")
def model():
    return joined(shorter_edge=CANVAS[0], canvas=CANVAS, **SETTINGS)


def by_place(boxes):
    return boxes[np.lexsort(boxes.T)]


@pytest.mark.parametrize("people", [1, 2, 9])
def test_raw_outputs_give_exactly_the_people_of_the_scene(model, people):
    scene = make_scene(people, CANVAS, CANVAS[0])
    head = pose_head(model)
    found = head(scene.maps)
    assert found["num_poses"].numpy().tolist() == [people]
    boxes = found["boxes"][0].numpy()
    np.testing.assert_allclose(by_place(boxes), by_place(scene.boxes), atol=0.01)
    peaks = head.find_peaks(scene.maps["heatmaps"])[0].numpy()  # (K, M, 3)
    for kind, truth in enumerate(scene.keypoints.transpose(1, 0, 2)):
        inside = truth[truth[:, 2] > 0, :2]
        apart = np.linalg.norm(inside[:, None] - inside, axis=-1) + 1e9 * np.eye(len(inside))
        lone = inside[(apart.min(axis=1, initial=1e9) > 40) & is_well_inside(inside)]
        distance = np.linalg.norm(peaks[kind, :, None, :2] - lone, axis=-1)
        assert (distance.min(axis=0, initial=1e9) < 0.1).all()


def is_well_inside(points, border=4):
    return ((points >= border) & (points < np.array(CANVAS[::-1]) - border)).all(axis=1)


@pytest.fixture(scope="module")
def values(model):
    """What all stages write, one after the other; `maps` are those of the scene."""
    scene = make_scene(5, CANVAS, CANVAS[0])
    values = {"file": tf.constant(scene.jpeg)}
    for stage in make_stages(model).values():
        found = stage.function(*(values[name] for name in stage.reads))
        found = (found,) if len(stage.writes) == 1 else found
        values |= zip(stage.writes, found, strict=True)
        if stage.name == "network":
            values["maps"] = {name: tf.constant(array) for name, array in scene.maps.items()}
    return values


def test_people_lie_on_the_image_where_the_canvas_has_them(values):
    """The file is shrunk by 0.8, edges on edges: its picture and the boxes belong together."""
    assert values["images"].shape == (1, 200, 280, 3)
    assert values["canvases"].shape == (1, *CANVAS, 3)
    np.testing.assert_allclose(values["image_boxes"][0] * 0.8, values["boxes"][0], atol=1e-3)
    assert values["picture"].shape == (200, 280, 3)


def test_stages_one_by_one_are_the_model(model, values):
    whole = whole_model(model)
    found = whole(values["canvases"], values["maps"], tf.constant(True))
    assert values["keypoints"].shape[1] == 5
    for name in ("boxes", "box_scores", "keypoints", "scores"):
        np.testing.assert_allclose(values[name], found[name], rtol=1e-5, atol=1e-4)
    own = whole(values["canvases"], values["maps"], tf.constant(False))
    truth = model(values["canvases"])
    assert own["num_poses"].numpy() == truth["num_poses"].numpy()
    np.testing.assert_allclose(own["mask"], truth["mask"], rtol=1e-4, atol=1e-5)


def test_slopes_of_hand_made_numbers():
    people, seconds = np.arange(1, 6), np.array([10, 10.2, 10.4, 10.6, 10.8])
    for fit in (least_squares, theil_sen):
        line = fit(people, seconds)
        assert line.per_person == pytest.approx(0.2) and line.one_person == pytest.approx(10)
        assert line.percent == pytest.approx(2)
    seconds[4] = 20.8  # one wild value; the least squares slope is 0.2 + 10 * 2 / 10
    assert theil_sen(people, seconds).percent == pytest.approx(2)
    assert least_squares(people, seconds).per_person == pytest.approx(2.2)


@pytest.mark.parametrize(("slope", "verdict"), [(0.19, ": kept"), (0.21, "NOT KEPT")])
def test_the_limit_is_two_percent_of_the_whole_model_with_one_person(slope, verdict):
    people = np.array([1, 10, 20])
    seconds = {name: np.ones((1, 3)) for name in STAGES}
    # Median of three rounds, the last of which was disturbed.
    seconds[WHOLE] = np.stack([10 + slope * (people - 1)] * 2 + [np.array([99.0, 5, 70])])
    text = line_table(Timings(people, seconds))
    assert verdict in text and f"{1e3 * slope:.2f} = {10 * slope:.2f}" in text


def test_sums_are_of_their_stages():
    seconds = {name: np.full((2, 1), float(number)) for number, name in enumerate(STAGES, 1)}
    timings = Timings(np.array([1]), seconds)
    # decode 1, resize 2, network 3, NMS 4, peaks 5, inputs 6, PRN 7, assignment 8, image 9, last 10
    assert timings.median("behind the network") == 30 and timings.median("model's stages") == 33
    assert timings.median("as in the paper") == 23 and timings.median("file to picture") == 55


PAPER_SIZED = {
    "backbone": 23.5,
    "keypoint FPN": 2.75,
    "keypoint subnet": 2.96,
    "detection FPN": 8.0,
    "detection heads": 4.82,
    "PRN": 70.2,
}
"""Millions of parameters with a ResNet-50."""


def test_paper_sized_blocks():
    model = random_models("r50", ("prn-1x1024-d-r",))["r50 with prn-1x1024-d-r"]
    networks, head = model.get_layer("networks"), pose_head(model)
    costs = block_costs(networks, head.prn, (224, 224))
    assert tuple(costs) == tuple(PAPER_SIZED) == BLOCKS
    for name, millions in PAPER_SIZED.items():
        assert costs[name].parameters / 1e6 == pytest.approx(millions, rel=0.01)
    assert sum(cost.parameters for cost in costs.values()) == model.count_params()
    assert costs["backbone"].macs / 1e9 == pytest.approx(4.09, rel=0.01)  # He et al. 2016, Table 1
    assert costs["PRN"].macs == 2 * 34272 * 1024
    # 56 x 56 cells: D2 alone reads 256 and 128 channels with 3x3 and writes 128.
    assert costs["keypoint subnet"].macs > 56 * 56 * 9 * (256 + 128) * 128
    assert image_macs(costs, 20) - image_macs(costs, 1) == 19 * costs["PRN"].macs


def test_macs_of_the_factored_prn():
    small = prn(COCO.num_keypoints, nodes=768, rank=64)
    macs = sum(dense_macs(layer) for layer in small.layers)
    # Per keypoint 2016 cells x 64 maps in and out; 17 x 64 features to 768 nodes and back.
    assert macs == 2 * 17 * 2016 * 64 + 2 * 17 * 64 * 768


def test_a_model_file_is_measured_and_written_down(model, tmp_path, capsys):
    model.save(tmp_path / "tiny.keras")
    folder = tmp_path / "figures"
    benchmark(model_of_file(tmp_path / "tiny.keras"), (3, 1), 1, output=folder)
    text = capsys.readouterr().out
    assert all(word in text for word in (*BLOCKS, *STAGES, "Theil-Sen", "paper: 5.7 %"))
    rows = list(csv.DictReader((folder / "stages-tiny.csv").open()))
    assert [row["people"] for row in rows] == ["1", "3"]
    assert all(float(row[f"{name} ms"]) > 0 for row in rows for name in (*STAGES, WHOLE))
    report = json.loads((folder / "benchmark.json").read_text())["models"]["tiny"]
    assert report["canvas"] == list(CANVAS) and set(report["blocks"]) == set(BLOCKS)
    assert np.shape(report["seconds_of_rounds"][WHOLE]) == (1, 2)
    for name in ("stages-tiny.png", "blocks-tiny.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_measured_is_refused(monkeypatch):
    for people in ((4,), (0, 2)):
        with pytest.raises(UsageError, match="expected at least two"):
            benchmark({}, people, 1)
    with pytest.raises(UsageError, match="prn-small.*prn-large"):
        random_models("demo", ("prn-large",))
    monkeypatch.setattr(benchmark_scenes, "ATTEMPTS", 2)
    with pytest.raises(ValueError, match="room for 40 people"):
        make_scene(40, (64, 64), 64)


def test_help_answers_at_once():
    assert "--rounds" in help_at_once("benchmark", "multiposenet")


@pytest.mark.slow
def test_script_compares_two_prns(tmp_path):
    words = (
        "--recipe",
        "demo",
        "--prn",
        "demo",
        "prn-small",
        "--people",
        "1",
        "4",
        "--rounds",
        "1",
    )
    command = [sys.executable, SCRIPT, "multiposenet", *words, "--output", tmp_path]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert text.count("at most 2 %") == 2
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"{kind}-demo-with-{name}.png"
        for kind in ("stages", "blocks")
        for name in ("demo", "prn-small")
    }
