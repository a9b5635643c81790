"""Compares an exported SavedModel with the Python path, picture by picture."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from posekit.datasets.synthetic import render_image
from posekit.export_command import encode, largest_difference
from posekit.images import decode_image
from posekit.poses import Poses
from posekit.reloading import run_saved_model
from posekit.warm_up import Request
from topdown.crops import crop_people, crop_transforms
from topdown.prediction import TopDownPredictor

LIMITS = {
    "num_poses": 0,
    "boxes": 0,
    "read elsewhere": 0.02,
    "keypoints": 1e-3,
    "keypoint_scores": 5e-4,
    "scores": 5e-4,
}
"""Largest differences: people, pixels, the share of keypoints that `ELSEWHERE` says, pixels of all
others, scores. One value of the crops in fifty thousand is rounded another way (2e-5 on 40
photographs), so that scores differ by up to 4e-5 there, and of two cells of nearly equal values the
other may be the higher one (none of 2,516 keypoints there)."""

ELSEWHERE = 0.1
"""A keypoint is read in another cell, or moved in another direction, where it differs by more than
this, pixels of the crop."""

_SIZES = ((240, 320), (333, 250), (480, 640), (97, 301))


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A picture and boxes in it."""

    data: bytes
    """Of a JPEG or PNG file."""
    boxes: np.ndarray
    """(N, 4) float32 xyxy."""
    box_scores: np.ndarray
    """(N,) float32."""


@dataclasses.dataclass(frozen=True, eq=False)
class Expected:
    """What the Python path finds in one case."""

    crops: np.ndarray
    """(N, height, width, 3) uint8."""
    keypoints: np.ndarray
    """(N, K, 3) of the crops, in their pixels."""
    poses: Poses
    """Of the image."""
    scales: np.ndarray
    """Pixels of the crop in one of the image, of each of the poses."""


def compare(
    version: Path | str,
    model: keras.Model,
    cases: Sequence[Case],
    flip: bool = False,
    domain: str | None = None,
) -> tuple[dict[str, dict[str, float]], int]:
    """Sends each case to all signatures of a SavedModel in a fresh process.

    Args:
        version: folder of the SavedModel.
        model: that it was made of.
        cases: pictures and boxes.
        flip: as at the export.
        domain: likewise.

    Returns:
        differences: see `differences`.
        num_poses: people that the Python path found.

    Raises:
        ImageError: a picture cannot be used.
        ReloadError: the SavedModel cannot be run.
    """
    predictor = TopDownPredictor(model, flip, domain)
    expected = [expect(predictor, case) for case in cases]
    answers = run_saved_model(version, requests_for(cases, expected))
    return differences(answers, expected), sum(len(one.poses) for one in expected)


def expect(predictor: TopDownPredictor, case: Case) -> Expected:
    """Runs the Python path on a case."""
    image = decode_image(case.data)
    crops = crop_people(
        [image], [crop_transforms(case.boxes, predictor.settings)], predictor.settings
    )
    poses = predictor.predict([image], [case.boxes], [case.box_scores])[0]
    scales = np.linalg.det(crop_transforms(poses.boxes, predictor.settings)[:, :, :2]) ** 0.5
    return Expected(crops, predictor.predict_crops(crops), poses, scales)


def requests_for(cases: Sequence[Case], expected: Sequence[Expected]) -> list[Request]:
    """Three requests of each case, one to each signature."""
    requests = []
    for case, one in zip(cases, expected, strict=True):
        people = {"boxes": case.boxes, "box_scores": case.box_scores}
        data = np.array(case.data, object)
        requests += [
            ("serving_default", {"crops": one.crops}),
            ("from_boxes", {"image": decode_image(case.data), **people}),
            ("from_jpeg_boxes", {"image_bytes": data, **people}),
        ]
    return requests


def differences(
    answers: Sequence[dict[str, np.ndarray]], expected: Sequence[Expected]
) -> dict[str, dict[str, float]]:
    """Compares the answers to `requests_for` with the Python path.

    Returns:
        Signature -> quantity of `LIMITS` -> the largest difference over the cases.
    """
    of_crops = [_of_crops(*pair) for pair in zip(answers[::3], expected, strict=True)]
    of_boxes = [_of_poses(*pair) for pair in zip(answers[1::3], expected, strict=True)]
    of_files = [_of_poses(*pair) for pair in zip(answers[2::3], expected, strict=True)]
    found = {"serving_default": of_crops, "from_boxes": of_boxes, "from_jpeg_boxes": of_files}
    return {
        signature: {name: float(np.max([row[name] for row in rows])) for name in LIMITS}
        for signature, rows in found.items()
    }


def drawn_files() -> list[bytes]:
    """Drawn crowds of four sizes, as JPEG and PNG files."""
    kinds = (".jpg", ".png", ".jpg", ".jpg")
    return [
        encode(render_image(seed, size, (1, 5))["image"], kind)
        for seed, (size, kind) in enumerate(zip(_SIZES, kinds, strict=True))
    ]


def cases_of(files: Sequence[bytes]) -> list[Case]:
    """Boxes for pictures that come without: the whole, parts, one beyond the border, a double.

    The last case is the first picture without any box.
    """
    # Odd numbers, for at even scales many values lie half way between two grey levels.
    parts = np.array(
        [
            [0.013, 0.009, 0.971, 0.987],
            [0.007, 0.011, 0.513, 0.993],
            [0.487, 0.003, 0.991, 0.979],
            [0.307, 0.103, 0.613, 0.907],
            [0.709, 0.503, 1.201, 1.301],
        ]
    )
    cases = []
    for data in files:
        height, width = decode_image(data).shape[:2]
        boxes = parts * (width, height, width, height)
        boxes = np.concatenate([boxes, boxes[3:4] + 0.25]).astype(np.float32)
        cases.append(Case(data, boxes, np.linspace(1, 0.5, len(boxes), dtype=np.float32)))
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    return [*cases, Case(files[0], *none)]


def _of_crops(answer: dict[str, np.ndarray], expected: Expected) -> dict[str, float]:
    found = _of_keypoints(answer["keypoints"], expected.keypoints, np.ones(len(expected.crops)))
    return dict.fromkeys(LIMITS, 0.0) | found


def _of_poses(answer: dict[str, np.ndarray], expected: Expected) -> dict[str, float]:
    poses, count = expected.poses, int(answer["num_poses"])
    result = _of_keypoints(answer["keypoints"], poses.keypoints, expected.scales)
    result["num_poses"] = float(abs(count - len(poses)))
    result["boxes"] = largest_difference(answer["boxes"], poses.boxes)
    result["scores"] = largest_difference(answer["scores"], poses.scores)
    return result


def _of_keypoints(found: np.ndarray, expected: np.ndarray, scales: np.ndarray) -> dict[str, float]:
    """Compares (N, K, 3); scales (N,) are crop pixels in one of the keypoints' pixels."""
    if found.shape != expected.shape:
        return dict.fromkeys(("read elsewhere", "keypoints", "keypoint_scores"), np.inf)
    distance = np.abs(found - expected)[..., :2].max(axis=-1)
    elsewhere = distance * scales[:, None] > ELSEWHERE
    return {
        "read elsewhere": float(elsewhere.sum() / max(elsewhere.size, 1)),
        "keypoints": float(distance[~elsewhere].max(initial=0)),
        "keypoint_scores": largest_difference(found[..., 2], expected[..., 2]),
    }
