"""The measures of PoseTrack as a table and as one JSON object."""

from typing import Any

import numpy as np

from posekit.metrics.posetrack import GROUPS, PoseTrackScores
from posekit.skeletons import POSETRACK

_TITLES = {
    "ap": "AP",
    "mota": "MOTA",
    "motp": "MOTP",
    "precision": "Prec",
    "recall": "Rec",
    "hota": "HOTA",
    "deta": "DetA",
    "assa": "AssA",
}


def to_json(scores: PoseTrackScores) -> dict[str, Any]:
    """Returns one object of Python numbers.

    Returns:
        `ap`, `mota`, `motp`, `precision`, `recall`, `hota`, `deta`, `assa`: the 15 keypoints in
        PoseTrack17's order, then their mean, per cent or None; None in all without track ids.
        `table`: name -> column -> per cent. `keypoints`: their names. `mot`: the counts behind
        them, the 15, then their sum. `counts` and `protocol`: of what was evaluated, and how.
    """
    figures = scores.figures()
    return {
        **{name: _values(values) for name, values in figures.items()},
        "table": {name: scores.groups(name) for name in figures},
        "keypoints": list(POSETRACK.names),
        "mot": _mot(scores),
        "counts": scores.counts,
        "protocol": protocol(scores),
    }


def to_text(scores: PoseTrackScores) -> str:
    """Returns protocol, counts and the table of the papers, for reading."""
    counts = scores.counts
    head = [*GROUPS, "Total"]
    lines = [
        f"PoseTrack, definitions: {protocol(scores)['definitions']}",
        "sequences {sequences}, frames {frames}, with annotations {frames_evaluated}".format(
            **counts
        ),
        "people annotated {annotated_people}, predicted {predicted_people}, keypoints "
        "{annotated_keypoints} and {predicted_keypoints}".format(**counts),
        "",
        "      " + "".join(f"{name:>8}" for name in head),
    ]
    for name, title in _TITLES.items():
        values = scores.groups(name) or dict.fromkeys(head)
        cells = ("-" if values[column] is None else f"{values[column]:.1f}" for column in head)
        lines.append(f"{title:<6}" + "".join(f"{cell:>8}" for cell in cells))
    if scores.mot is not None:
        lines += [
            "",
            "misses {}, false positives {}, switches {}, matches {}".format(*_sums(scores)),
        ]
    return "\n".join(lines)


def warnings_of(scores: PoseTrackScores) -> list[str]:
    """Returns what a reader of the numbers alone would not guess, a line each."""
    counts, found = scores.counts, []
    if not counts["annotated_people"]:
        found.append("no annotated people: there is nothing to measure")
    elif not counts["predicted_people"]:
        found.append("no predicted people where people are annotated: everything is missed")
    if scores.mot is None:
        found.append("people without track ids: no MOTA, MOTP, precision, recall, HOTA")
    if counts["unscored_keypoints"]:
        rule = "-9999 as in poseval" if scores.compat else "all alike: AP at one threshold"
        found.append(f"predicted keypoints without scores: {counts['unscored_keypoints']}; {rule}")
    if counts["predicted_people_left_out"]:
        found.append(
            "predicted people left out, in frames without annotations or in ignore regions: "
            f"{counts['predicted_people_left_out']}"
        )
    if counts["heads_estimated"]:
        found.append(f"head sizes estimated from neck and head top: {counts['heads_estimated']}")
    if counts["heads_without_size"]:
        found.append(f"head boxes of size 0, never matched: {counts['heads_without_size']}")
    never = [n for n, ap in zip(POSETRACK.names, scores.ap, strict=True) if np.isnan(ap)]
    if never and counts["annotated_people"]:
        found.append(f"keypoints that nobody has, left out of the means: {', '.join(never)}")
    return found


def protocol(scores: PoseTrackScores) -> dict[str, Any]:
    """Returns how it was evaluated."""
    return {
        "definitions": "poseval" if scores.compat else "default",
        "threshold": "0.5 head sizes, inclusive",
        "head_size": "0.6 * diagonal of the head box",
        "mean": "of the 15 keypoints alike",
        "frames": "those with annotated people"
        + (", MOT without the last of each sequence" if scores.compat else ""),
    }


def _values(values: np.ndarray | None) -> list[float | None] | None:
    if values is None:
        return None
    known = values[~np.isnan(values)]
    numbers = [None if np.isnan(value) else float(value) for value in values]
    return [*numbers, float(known.mean()) if known.size else None]


def _mot(scores: PoseTrackScores) -> dict[str, list[int]] | None:
    if scores.mot is None:
        return None
    names = ("annotated", "matches", "misses", "false_positives", "switches")
    counts = {name: getattr(scores.mot, name) for name in names}
    return {name: [*values.tolist(), int(values.sum())] for name, values in counts.items()}


def _sums(scores: PoseTrackScores) -> list[int]:
    names = ("misses", "false_positives", "switches", "matches")
    return [int(getattr(scores.mot, name).sum()) for name in names]
