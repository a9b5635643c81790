import dataclasses

import motmetrics
import numpy as np
import pytest
from posetrack_people import prediction, truth, walk

from posekit.metrics.posetrack import evaluate
from posekit.metrics.posetrack_mot import mot_counts
from posekit.metrics.posetrack_pairs import paired


def counts_of(annotated, predicted, num_frames, compat=False):
    """The counts of keypoint 0."""
    mot = evaluate([truth(annotated, num_frames)], [prediction(predicted, num_frames)], compat).mot
    return {field.name: getattr(mot, field.name)[0] for field in dataclasses.fields(mot)}


def at(x, y=50):
    return {0: (x, y)}


def test_a_switch_a_miss_and_a_false_positive():
    # Head size 30. Person 1 is followed by track 7 (3 px off), lost in frame 1, found again by
    # track 8: a switch. Person 2 has track 9 throughout. In frame 1 a stray at 500.
    annotated = [(f, person, at(100 * person)) for f in range(3) for person in (1, 2)]
    predicted = [(0, 7, at(103)), (0, 9, at(200)), (1, 9, at(200)), (1, 5, at(500))]
    predicted += [(2, 8, at(100)), (2, 9, at(206))]
    found = counts_of(annotated, predicted, 3)
    assert found["annotated"] == 6 and found["matches"] == 5 and found["misses"] == 1
    assert found["false_positives"] == 1 and found["switches"] == 1
    assert found["distance"] == pytest.approx(3 / 30 + 6 / 30)
    scores = evaluate([truth(annotated)], [prediction(predicted, 3)])
    assert scores.mota[0] == pytest.approx(100 * (1 - 3 / 6))
    assert scores.motp[0] == pytest.approx(100 * (1 - 0.3 / 5))
    assert scores.precision[0] == scores.recall[0] == pytest.approx(100 * 5 / 6)
    assert scores.mean("mota") == pytest.approx(50)  # the other fourteen have no annotations
    # poseval leaves out the last frame, and the switch with it.
    compat = counts_of(annotated, predicted, 3, compat=True)
    assert compat["annotated"] == 4 and compat["matches"] == 3 and compat["switches"] == 0


def test_a_pair_stays_while_it_is_near_though_another_is_nearer():
    annotated = [(0, 1, at(100)), (1, 1, at(100))]
    predicted = [(0, 7, at(100)), (1, 7, at(114)), (1, 8, at(101))]
    found = counts_of(annotated, predicted, 2)
    assert found["switches"] == 0 and found["distance"] == pytest.approx(14 / 30)
    # Beyond the threshold of 15 px it does not.
    predicted[1] = (1, 7, at(115.01))
    assert counts_of(annotated, predicted, 2)["switches"] == 1
    predicted[1] = (1, 7, at(115))
    assert counts_of(annotated, predicted, 2)["switches"] == 0


def test_more_pairs_come_before_nearer_ones():
    # Two people stand on a track each; moved by one, all three have one, 14 px off.
    annotated = [(0, i, at(100 + 14 * i)) for i in range(3)]
    predicted = [(0, i, at(86 + 14 * i)) for i in range(3)]
    found = counts_of(annotated, predicted, 1)
    assert found["matches"] == 3 and found["distance"] == pytest.approx(3 * 14 / 30)


def test_whose_track_it_is_when_two_remember_it():
    # Track 7 follows person 1, then person 2; then it stands between them, nearer to 1.
    annotated = [(0, 1, at(100)), (1, 2, at(100)), (2, 1, at(95)), (2, 2, at(108)), (3, 3, at(0))]
    predicted = [(0, 7, at(100)), (1, 7, at(100)), (2, 7, at(100))]
    found = counts_of(annotated, predicted, 4)
    assert found["matches"] == 3 and found["switches"] == 0
    assert found["distance"] == pytest.approx(8 / 30)  # person 2 had it last
    swapped = [*annotated[:2], annotated[3], annotated[2], annotated[4]]
    assert counts_of(swapped, predicted, 4) == found
    # poseval: the first in the file has it.
    compat = [counts_of(people, predicted, 4, compat=True) for people in (annotated, swapped)]
    assert [c["distance"] for c in compat] == pytest.approx([5 / 30, 8 / 30])


def test_a_frame_without_predictions_is_real_misses():
    annotated = [(f, i, at(100 * i)) for f in range(3) for i in range(1, 4)]
    predicted = [(f, i, at(100 * i)) for f in (0, 2) for i in range(1, 4)]
    found = counts_of(annotated, predicted, 3)
    assert found["misses"] == 3 and found["false_positives"] == 0 and found["annotated"] == 9
    # poseval: one miss and one false positive; its last frame does not count.
    compat = counts_of(annotated, predicted, 3, compat=True)
    assert compat["misses"] == compat["false_positives"] == 1 and compat["annotated"] == 4


def test_nothing_matched_has_motp_0_and_nothing_annotated_none_but_0_in_poseval():
    annotated = [(f, 1, {0: (100, 50), 1: (100, 90)}) for f in range(2)]
    predicted = [(f, 1, {0: (100, 50), 1: (300, 90)}) for f in range(2)]
    sequences = [truth(annotated)], [prediction(predicted, 2)]
    scores = evaluate(*sequences)
    assert scores.motp[1] == 0 and np.isnan(scores.motp[2]) and scores.mean("motp") == 50
    compat = evaluate(*sequences, compat=True)
    assert compat.motp[1] == 0 and compat.mean("motp") == pytest.approx(100 / 15)
    assert evaluate(*sequences).mota[:2].tolist() == [100, -100]


NAMES = ("annotated", "matches", "misses", "false_positives", "switches", "distance")


@pytest.mark.parametrize("seed", range(6))
def test_parity_with_motmetrics(seed):
    annotated, predicted = walk(seed, num_frames=20, keypoints=3, noise=0.05 + 0.1 * (seed % 3))
    pair, frames = pair_of(annotated, predicted, 20)
    ours = mot_counts(pair, frames)
    assert ours.switches.sum() > 5 and ours.misses.sum() > 10 and ours.matches.sum() > 100
    for k in range(3):
        assert_same(ours, pair, frames, k)


@pytest.mark.parametrize("seed", range(6))
def test_parity_with_motmetrics_in_a_crowd(seed):
    # Everybody within two head sizes and with ids at random: everything is contested.
    people = [crowd(np.random.default_rng(2 * seed + i), rest=5 + i) for i in range(2)]
    pair, frames = pair_of(*people, 20)
    ours = mot_counts(pair, frames, compat=True)
    for k in range(2):
        assert_same(ours, pair, frames[:-1], k)


def crowd(random, rest):
    return [
        (f, i, {k: tuple(random.uniform(0, 50, 2)) for k in range(2) if random.random() < 0.8})
        for f in range(20)
        for i in random.permutation(6)[: random.integers(1, 7) * (f % rest > 0)].tolist()
    ]


def pair_of(annotated, predicted, num_frames):
    predicted = prediction(predicted, num_frames)
    scores = np.nan_to_num(predicted.scores)
    pair = paired(truth(annotated, num_frames), predicted, scores)
    return pair, list(pair.frames())


def assert_same(ours, pair, frames, k):
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    annotated = 0
    for t, p, distances in frames:
        rows = np.flatnonzero(pair.truth.there[t, k])
        columns = np.flatnonzero(pair.prediction.there[p, k])
        block = distances[np.ix_(rows, columns)][..., k]
        ids = pair.truth.track_ids[t][rows], pair.prediction.track_ids[p][columns]
        if not distances.size:  # poseval
            ids, block = ([0], [0]), np.full((1, 1), np.nan)
        accumulator.update(*ids, np.where(block <= 0.5, block, np.nan))
        annotated += len(ids[0])
    events = accumulator.mot_events
    kinds = events["Type"].value_counts()
    matched = events[events["Type"].isin(["MATCH", "SWITCH"])]
    counts = [kinds.get(kind, 0) for kind in ("MISS", "FP", "SWITCH")]
    reference = [annotated, len(matched), *counts, pytest.approx(matched["D"].sum())]
    assert [getattr(ours, name)[k] for name in NAMES] == reference


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_people_does_not_matter(seed):
    annotated, predicted = walk(seed, num_frames=10, noise=0.15)
    scores = evaluate([truth(annotated, 10)], [prediction(predicted, 10)])
    random = np.random.default_rng(seed)
    shuffled = [
        sorted((people[i] for i in random.permutation(len(people))), key=lambda person: person[0])
        for people in (annotated, predicted)
    ]
    renamed = [(f, 1000 - i, points) for f, i, points in shuffled[1]]
    other = evaluate([truth(shuffled[0], 10)], [prediction(renamed, 10)])
    for name, values in scores.figures().items():
        np.testing.assert_allclose(other.figures()[name], values, err_msg=name)


def test_compat_takes_an_empty_list_of_keypoints_for_somebody():
    # Nobody is found in frame 1: a miss. Where nobody stands there, poseval says one false positive
    # too; an empty list of keypoints is somebody for it, but not in a frame with ignore regions.
    annotated = [(f, 0, {0: (f, 5)}) for f in range(3)]
    predicted = [(0, 0, {0: (0, 5)}), (1, 0, {}), (2, 0, {0: (2, 5)})]
    far = [np.array([[90.0, 90], [95, 90], [95, 95]])]
    cases = [([0, 2], (), 1), ([0, 1, 2], (), 0), ([0, 1, 2], {1: far}, 1)]
    for listed, regions, false_positives in cases:
        rows = np.isin(range(3), listed)
        pair = [truth(annotated, regions=regions)], [prediction(predicted, 3, listed=rows)]
        mot = evaluate(*pair, compat=True).mot
        assert [mot.misses[0], mot.false_positives[0]] == [1, false_positives]
        mot = evaluate(*pair).mot
        assert [mot.misses[0], mot.false_positives[0]] == [1, 0]


def test_what_nobody_has_leaves_no_hole_in_the_mean_precision():
    annotated = [(0, 0, {0: (0, 5)}), (1, 0, {0: (1, 5)})]
    predicted = [(f, 0, {0: (f, 5), 3: (50, 5)}) for f in range(2)]
    pair = [truth(annotated)], [prediction(predicted, 2)]
    assert evaluate(*pair).mean("precision") == 100
    assert evaluate(*pair, compat=True).mean("precision") == 50
