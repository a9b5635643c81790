import dataclasses

import numpy as np
from walking_people import annotated, predicted

from posekit.datasets.posetrack_results import read_results
from tracking.laboratory import networks
from tracking.laboratory.relinking import Relinking
from tracking.laboratory.report import line_of, score, to_text, write_results
from tracking.laboratory.rows import RowResult, run_rows
from tracking.laboratory.sequences import LabSequence
from tracking.laboratory.setup import Setup
from tracking.recipes import RECIPES

TRUTH = annotated([{1: 0 + t, 2: 100} for t in range(9)])
SEQUENCE = LabSequence(TRUTH, (64, 200), None, None)
B6 = RECIPES["simple-baselines-b6"][1]


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


def test_results_are_what_the_evaluation_reads(drawn, tmp_path):
    sequences = Setup(drawn, "val", "none", tmp_path).sequences(False, 1)
    row = {"a1": RECIPES["simple-baselines-a1"][1]}
    result = run_rows(row, sequences, networks.simulated(0))["a1"]
    write_results(tmp_path / "a1", result, sequences)
    read = read_results(tmp_path / "a1" / "000001_mpii_drawn.json")
    assert len(read.frame) == sum(map(len, result.predictions[0]))
    assert read.file_names == sequences[0].truth.file_names


def test_annotations_without_tracks_have_no_mota():
    bare = dataclasses.replace(TRUTH, track_ids=np.full(len(TRUTH.track_ids), -1))
    sequence = dataclasses.replace(SEQUENCE, truth=bare)
    result = RowResult(B6, [predicted([{4: 0 + t, 5: 100} for t in range(9)])], Relinking(0, 0))
    line = line_of("b6", result, score(result, [sequence]))
    assert line["mAP"] == 100 and "MOTA" not in line and line["keypoints"]["mota"] is None
