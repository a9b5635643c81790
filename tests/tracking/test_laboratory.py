import dataclasses

import numpy as np
import pytest
from walking_people import annotated, predicted

from posekit.datasets.posetrack import load_posetrack
from posekit.datasets.synthetic_posetrack import DrawnVideos, write_posetrack
from posekit.detections import Detections
from posekit.poses import Poses
from posekit.skeletons import POSETRACK
from tracking import laboratory_networks
from tracking.flo_files import FloFolder
from tracking.laboratory import (
    LaboratoryError,
    LabSequence,
    RowResult,
    run_rows,
    similarity_grid,
    thinned,
    threshold_grid,
)
from tracking.laboratory_report import line_of, score, to_text, write_results
from tracking.laboratory_setup import Setup
from tracking.recipes import RECIPES
from tracking.relinking import Relinking

TRUTH = annotated([{1: 0 + t, 2: 100} for t in range(9)])
SEQUENCE = LabSequence(TRUTH, (64, 200), None, None)
B6 = RECIPES["simple-baselines-b6"][1]
VIDEOS = DrawnVideos(sequences=2, frames=16, size=(120, 160), people=(4, 6))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    write_posetrack(root, "val", VIDEOS)
    return root


def test_the_truth_as_result_scores_100():
    result = RowResult(B6, [predicted([{4: 0 + t, 5: 100} for t in range(9)])], Relinking(0, 0))
    scores = score(result, [SEQUENCE])
    line = line_of("b6", result, scores)
    assert (line["mAP"], line["MOTA"], line["switches"]) == (100, 100, 0)
    assert (line["paper mAP"], line["paper MOTA"]) == (72.4, 62.9)
    missed = RowResult(B6, [predicted([{4: 0 + t} for t in range(9)])], Relinking(0, 0))
    line_of_missed = line_of("b6", missed, score(missed, [SEQUENCE]))
    assert (line_of_missed["prec"], line_of_missed["rec"]) == (100, 50)
    text = to_text([line]).splitlines()
    assert text[0].startswith("| row | mAP | MOTA | paper mAP | paper MOTA | MOTP |")
    assert text[2].startswith("| b6 | 100.0 | 100.0 | 72.4 | 62.9 | ")


def test_rows_about_poses_have_no_figures_of_tracks():
    recipe = RECIPES["mdpn-a"][1]
    result = RowResult(recipe, [predicted([{4: 0 + t, 5: 100} for t in range(9)])], Relinking(0, 0))
    assert line_of("mdpn-a", result, score(result, [SEQUENCE])).keys() == {
        *("row", "mAP", "paper mAP", "keypoints")
    }


def test_the_papers_directions_on_drawn_videos(drawn):
    """A small laboratory; the whole one is `scripts/track_lab.py` without options."""
    sequences = Setup(drawn, "val", None, drawn / "cache").sequences(False, None)
    names = ("simple-baselines-b1", "simple-baselines-b3", "simple-baselines-b6")
    rows = {name: RECIPES[name][1] for name in names}
    results = run_rows(rows, sequences, laboratory_networks.simulated(0))
    scores = {name: score(result, sequences) for name, result in results.items()}
    alone, joint, several = (scores[name] for name in names)
    assert joint.mean("ap") > alone.mean("ap") + 2
    assert joint.mean("mota") > alone.mean("mota") + 2
    assert several.mean("mota") > joint.mean("mota")


def test_results_are_what_the_evaluation_reads(drawn, tmp_path):
    from posekit.datasets.posetrack_results import read_results

    sequences = Setup(drawn, "val", "none", tmp_path).sequences(False, 1)
    row = {"a1": RECIPES["simple-baselines-a1"][1]}
    result = run_rows(row, sequences, laboratory_networks.simulated(0))["a1"]
    write_results(tmp_path / "a1", result, sequences)
    read = read_results(tmp_path / "a1" / "000001_mpii_drawn.json")
    assert len(read.frame) == sum(map(len, result.predictions[0]))
    assert read.file_names == sequences[0].truth.file_names


def test_words_for_flow_come_before_folders_of_their_names(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word in ("none", "dis"):
        (tmp_path / word).mkdir()
        [sequence] = Setup(drawn, "val", word, tmp_path / "cache").sequences(False, 1)
        assert (sequence.flow is None) == (word == "none")
        assert not isinstance(sequence.flow, FloFolder)


def test_thinned():
    fewer = thinned(TRUTH, 4)
    assert fewer.file_names == ("0.jpg", "4.jpg", "8.jpg")
    assert fewer.frame.tolist() == [0, 0, 1, 1, 2, 2]
    assert fewer.keypoints[fewer.frame == 2][0, 0, 0] == 8
    assert thinned(TRUTH, 1) is TRUTH


def test_grids():
    grid = similarity_grid(B6)
    assert len(grid) == 8
    assert grid["multi-flow, hungarian"].tracker.queue == 8
    assert {row.tracker.gate for row in grid.values()} == {0.0}
    points = threshold_grid(B6, (0.1, 0.2), (0.3,))
    assert points[0.2, 0.3].tracker.box_threshold == 0.2
    assert points[0.2, 0.3].tracker.keypoint_threshold == 0.3


def test_what_is_refused(drawn, tmp_path):
    with pytest.raises(LaboratoryError, match="annotations of PoseTrack there, found none"):
        Setup(tmp_path, "val", "none", tmp_path).sequences(False, None)
    with pytest.raises(LaboratoryError, match="flow to the next frame"):
        Setup(drawn, "val", "exact", tmp_path, every=2).sequences(False, None)
    with pytest.raises(ValueError, match="received 'dsi'"):
        Setup(drawn, "val", "dsi", tmp_path).sequences(False, None)


class Recorder:
    """A network that counts what it is asked and answers with what it is told."""

    skeleton, propagates, asked = POSETRACK, True, 0

    def poses(self, frame, boxes, scores):
        type(self).asked += 1
        return Poses(np.ones((len(boxes), 15, 3)), scores, boxes, POSETRACK)


def test_boxes_of_a_file_go_to_their_frames():
    boxes = np.arange(12.0).reshape(3, 4) + [0, 0, 9, 9]
    found = Detections(np.array([7, 9, 7]), boxes, np.array([0.5, 0.6, 0.7]))
    given = laboratory_networks.GivenBoxes(Recorder(), np.array([5, 7]), found)
    frames = list(SEQUENCE.frames())
    assert len(given.detect(frames[0])[0]) == 0
    np.testing.assert_array_equal(given.detect(frames[1])[0], boxes[[0, 2]])


def test_what_was_found_is_kept_for_what_it_was_found_with(tmp_path):
    (tmp_path / "net").write_bytes(b"weights")
    box, frame = np.array([[0.0, 0, 20, 40]]), next(iter(SEQUENCE.frames()))
    other = dataclasses.replace(B6, blur_sigma=3.5)

    def asked(scores=0.5, image_id=0, recipe=B6, read=None, weights=b"weights"):
        (tmp_path / "net").write_bytes(weights)
        found = Detections(np.array([image_id, 1]), np.tile(box, (2, 1)), np.array([scores, 0.1]))
        setup = tmp_path / "net", lambda recipe: Recorder(), found, tmp_path / "cache", read
        estimator = laboratory_networks.of_network(*setup)(SEQUENCE, recipe)
        before = Recorder.asked
        assert estimator.detect(frame)[1] == (np.float32([scores]) if image_id == 0 else [])
        estimator.poses(frame, box, np.ones(1))
        estimator.save()
        return Recorder.asked - before

    assert [asked(), asked()] == [1, 0]
    assert asked(scores=0.9) == asked(recipe=other) == asked(read="vote") == 1
    assert asked(weights=b"others") == 1 and asked() == 0


def test_boxes_of_other_images_are_refused(tmp_path):
    (tmp_path / "net").write_bytes(b"weights")
    found = Detections(np.array([77]), np.array([[0.0, 0, 9, 9]]), np.ones(1))
    setup = tmp_path / "net", lambda recipe: Recorder(), found, tmp_path
    network = laboratory_networks.of_network(*setup)
    with pytest.raises(LaboratoryError, match=r"such as \[0\].*such as \[77\]"):
        network(SEQUENCE, B6)


def test_annotations_without_tracks_have_no_mota():
    bare = dataclasses.replace(TRUTH, track_ids=np.full(len(TRUTH.track_ids), -1))
    sequence = dataclasses.replace(SEQUENCE, truth=bare)
    result = RowResult(B6, [predicted([{4: 0 + t, 5: 100} for t in range(9)])], Relinking(0, 0))
    line = line_of("b6", result, score(result, [sequence]))
    assert line["mAP"] == 100 and "MOTA" not in line and line["keypoints"]["mota"] is None


def test_files_of_2017_are_numbered_from_1(drawn, tmp_path):
    from posekit.datasets.posetrack_results import write_posetrack17

    folder = tmp_path / "annotations" / "val"
    folder.mkdir(parents=True)
    for name, frames in (("a", 3), ("b", 2)):
        names = [f"{name}/{i}.jpg" for i in range(frames)]
        poses = predicted([{1: 5}] * frames)
        write_posetrack17(folder / f"{name}.json", names, poses)
    first, second = Setup(tmp_path, "val", "none", tmp_path).sequences(False, None)
    assert second.truth.image_ids.tolist() == [4, 5]
    assert load_posetrack(tmp_path, "val", headers=False).image_ids.tolist() == [1, 2, 3, 4, 5]
    assert load_posetrack(tmp_path, "minval", headers=False).image_ids.tolist() == [1, 2, 3]
