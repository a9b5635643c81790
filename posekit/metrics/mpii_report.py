"""PCKh as a table and as one JSON object."""

from typing import Any

from posekit.metrics.evaluation_report import damaged_text
from posekit.metrics.mpii import Pckh
from posekit.metrics.mpii_files import MpiiScores
from posekit.skeletons import MPII

_SHOWN = ("annotations", "results", "data", "boxes", "flip", "skeleton", "size", "crop", "reading")
_PUBLISHED_AS = {0.11: ' (published as "Mean@0.1")'}


def to_json(scores: MpiiScores) -> dict[str, Any]:
    """Returns one object of Python numbers.

    Returns:
        `pckh`: threshold -> columns, `mean`, `plain_mean` and `keypoints`, per cent or None;
        `people`, `keypoints` and `protocol` of the scores.
    """
    return {
        "pckh": {f"{at.threshold:g}": _values(at) for at in scores.at},
        "people": scores.people,
        "keypoints": scores.keypoints,
        "protocol": scores.protocol,
    }


def to_text(scores: MpiiScores) -> str:
    """Returns protocol, counts and a table, for reading."""
    protocol = scores.protocol
    head = [*scores.at[0].groups, "Mean", "Plain mean"]
    lines = [
        f"PCKh, head size {protocol['head_size']}; Mean {protocol['mean']}; Plain mean "
        f"{protocol['plain_mean']}",
        *(f"{name}: {protocol[name]}" for name in _SHOWN if name in protocol),
        "people: {ground_truth}, predicted {predicted}".format(**scores.people),
        "keypoints: {ground_truth}, not predicted {not_finite}".format(**scores.keypoints),
        "",
        "PCKh@  " + "".join(f"{name:>{_width(name)}}" for name in head),
        *(_row(at, head) for at in scores.at),
    ]
    return "\n".join(lines)


def warnings_of(scores: MpiiScores) -> list[str]:
    """Returns what a reader of the numbers alone would not guess, a line each."""
    found = damaged_text(scores.protocol.get("damaged", []))
    if scores.keypoints["not_finite"]:
        found.append(f"keypoints not predicted, counted as wrong: {scores.keypoints['not_finite']}")
    missing = [n for n, c in zip(MPII.names, scores.at[0].counts, strict=True) if not c]
    if missing:
        found.append(f"keypoints that nobody has, left out of the means: {', '.join(missing)}")
    return found


def _values(at: Pckh) -> dict[str, Any]:
    keypoints = zip(MPII.names, at.keypoints.tolist(), at.counts, strict=True)
    return at.groups | {
        "mean": at.mean,
        "plain_mean": at.plain_mean,
        "keypoints": {name: value if count else None for name, value, count in keypoints},
    }


def _row(at: Pckh, head: list[str]) -> str:
    values = [*at.groups.values(), at.mean, at.plain_mean]
    cells = ("none" if value is None else f"{value:.2f}" for value in values)
    row = "".join(f"{cell:>{_width(name)}}" for cell, name in zip(cells, head, strict=True))
    return f"{at.threshold:<7g}{row}{_PUBLISHED_AS.get(at.threshold, '')}"


def _width(name: str) -> int:
    return max(len(name), 6) + 2
