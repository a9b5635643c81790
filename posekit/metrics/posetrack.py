"""The measures of PoseTrack: AP of poses in frames, MOTA and HOTA of tracks, per keypoint class."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.datasets.posetrack_results import PredictedSequence
from posekit.metrics.coco import EvaluationError
from posekit.metrics.posetrack_ap import average_precisions, labelled_keypoints
from posekit.metrics.posetrack_checks import check_pair, check_tracked, filled_scores
from posekit.metrics.posetrack_hota import HotaCounts, hota_counts
from posekit.metrics.posetrack_mot import MotCounts, mot_counts
from posekit.metrics.posetrack_pairs import paired
from posekit.skeletons import POSETRACK

GROUPS = {
    "Head": ("head_top", "neck", "nose"),
    "Shou": ("right_shoulder", "left_shoulder"),
    "Elb": ("right_elbow", "left_elbow"),
    "Wri": ("right_wrist", "left_wrist"),
    "Hip": ("right_hip", "left_hip"),
    "Knee": ("right_knee", "left_knee"),
    "Ankl": ("right_ankle", "left_ankle"),
}
"""Columns of the published tables; "Total" is the mean of all 15 keypoints."""


@dataclasses.dataclass(frozen=True, eq=False)
class PoseTrackScores:
    """What was measured; per cent, (15,) each in the order of `skeletons.POSETRACK`.

    Args:
        ap: average precision; NaN for a keypoint that nobody has.
        mot: counts of CLEAR-MOT; None without track ids.
        hota: counts of HOTA; None without track ids.
        compat: counted as poseval does.
        counts: `sequences`, and those of `posetrack_pairs.PairedSequence` summed; also
            `unscored_keypoints`, predicted without a score.
    """

    ap: np.ndarray
    mot: MotCounts | None
    hota: HotaCounts | None
    compat: bool
    counts: dict[str, int]

    @property
    def mota(self) -> np.ndarray | None:
        """As `MotCounts.mota`."""
        return None if self.mot is None else self.mot.mota

    @property
    def motp(self) -> np.ndarray | None:
        """As `MotCounts.motp`; 0 for a class never matched; NaN for one never annotated.

        With `compat` that is 0, too.
        """
        return self.mot and self._of_annotated(np.nan_to_num(self.mot.motp))

    @property
    def precision(self) -> np.ndarray | None:
        """As `MotCounts.precision`; NaN for a class never annotated, with `compat` 0."""
        return self.mot and self._of_annotated(self.mot.precision)

    @property
    def recall(self) -> np.ndarray | None:
        """As `MotCounts.recall`."""
        return None if self.mot is None else self.mot.recall

    def _of_annotated(self, values: np.ndarray) -> np.ndarray:
        return values if self.compat else np.where(self.mot.annotated > 0, values, np.nan)

    def figures(self) -> dict[str, np.ndarray | None]:
        """Returns all measures by name: `ap`, `mota`, `motp`, `precision`, `recall`, `hota`..."""
        names = ("ap", "mota", "motp", "precision", "recall")
        hota = {name: self.hota and getattr(self.hota, name) for name in ("hota", "deta", "assa")}
        return {name: getattr(self, name) for name in names} | hota

    def mean(self, name: str) -> float | None:
        """Mean of the keypoints of one of the `figures`, each alike; None where there is none."""
        values = self.figures()[name]
        return None if values is None else mean_of(values)

    def groups(self, name: str) -> dict[str, float | None] | None:
        """The columns of the published tables of one of the `figures`; None without track ids.

        A keypoint without value is left out of its column; with `compat` the column has none then.
        """
        values = self.figures()[name]
        if values is None:
            return None
        columns = {}
        for group, names in GROUPS.items():
            chosen = values[[POSETRACK.names.index(keypoint) for keypoint in names]]
            hole = self.compat and np.isnan(chosen).any()
            columns[group] = None if hole else mean_of(chosen)
        return columns | {"Total": mean_of(values)}


def evaluate(
    truths: Sequence[PoseTrackSequence],
    predictions: Sequence[PredictedSequence],
    compat: bool = False,
    estimate_heads: bool = False,
) -> PoseTrackScores:
    """Evaluates predicted people, and their tracks where everybody has one.

    Frames without annotated people do not count. By default all others do, matches are counted and
    measured as CLEAR-MOT says, keypoints that nobody has are left out of all means, and equal
    scores are one point of the precision-recall curve.

    Args:
        truths: S sequences.
        predictions: S in the same order, frames in the same order.
        compat: as poseval does, with its faults: the last frame of a sequence left out of MOTA,
            a frame without predictions or, after cleaning, annotations counted as one miss and one
            false positive (but not where somebody has an empty list of keypoints), keypoints that
            nobody has as precision 0 where they are predicted and as AP 0 where not, MOTP 0
            too, columns without value where one of their keypoints has none, missing scores as
            -9999, equal scores in any order.
        estimate_heads: as `posetrack_heads.head_sizes`.

    Raises:
        EvaluationError: naming the file, frame and person: other numbers of sequences or frames,
            ids or names of frames that disagree, track ids given twice or to some people only,
            missing scores or head boxes.

    Reference: Andriluka et al. 2018 (PoseTrack), section 4.
    """
    if len(truths) != len(predictions):
        raise EvaluationError(
            f"expected predictions of {len(truths)} sequences, received {len(predictions)}"
        )
    if not truths:
        raise EvaluationError("expected at least one sequence, received none")
    for truth, prediction in zip(truths, predictions, strict=True):
        check_pair(truth, prediction, compat)
    scores = filled_scores(predictions, compat)
    tracked = check_tracked(truths) and check_tracked(predictions)
    labelled, mot, hota, counts = [], MotCounts.none(), HotaCounts.none(), Counter()
    for truth, prediction, filled in zip(truths, predictions, scores, strict=True):
        pair = paired(truth, prediction, filled, estimate_heads)
        frames = list(pair.frames())
        labelled.append(labelled_keypoints(pair, frames))
        counts.update({"sequences": 1} | pair.counts | _unscored(prediction))
        if tracked:
            mot += mot_counts(pair, frames, compat)
            hota += hota_counts(pair, frames)
    return PoseTrackScores(
        ap=average_precisions(labelled, compat),
        mot=mot if tracked else None,
        hota=hota if tracked else None,
        compat=compat,
        counts=dict(counts),
    )


def mean_of(values: np.ndarray) -> float | None:
    """Mean of the values that are no NaN; None where there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _unscored(prediction: PredictedSequence) -> dict[str, int]:
    missing = (prediction.keypoints[..., 2] > 0) & np.isnan(prediction.scores)
    return {"unscored_keypoints": int(missing.sum())}
