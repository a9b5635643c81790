"""Compares an exported SavedModel with the Python path, picture by picture."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from multiposenet.prediction import Prediction, Predictor
from posekit.datasets.synthetic import render_image
from posekit.export_command import encode, largest_difference
from posekit.images import decode_image
from posekit.reloading import run_saved_model
from posekit.warm_up import Request

LIMITS = {
    "num_poses": 0,
    "boxes": 0.1,
    "keypoints": 0.1,
    "box_scores": 1e-4,
    "scores": 1e-4,
    "keypoint_scores": 1e-4,
    "mask": 1e-3,
}
"""Largest differences: people, pixels, pixels, scores, and the share of the mask's pixels."""

_SIZES = ((240, 320), (333, 250), (480, 640), (97, 301))


def compare(
    version: Path | str, model: keras.Model, files: Sequence[bytes]
) -> tuple[dict[str, dict[str, float]], int]:
    """Sends pictures to both signatures of a SavedModel in a fresh process.

    Args:
        version: folder of the SavedModel.
        model: the joined model that it was made of.
        files: contents of JPEG or PNG files.

    Returns:
        differences: see `differences`; `serving_default` gets the pictures one by one, `from_jpeg`
            all in one request.
        num_poses: people that the Python path, which sees them one by one, found in them.

    Raises:
        ImageError: a picture cannot be used.
        ReloadError: the SavedModel cannot be run.
    """
    images = [decode_image(data) for data in files]
    predictor = Predictor(model)
    expected = [predictor.predict([image])[0] for image in images]
    answers = run_saved_model(version, requests_for(images, files))
    return differences(answers, expected), sum(len(one.poses) for one in expected)


def requests_for(images: Sequence[np.ndarray], files: Sequence[bytes]) -> list[Request]:
    """Each image (H, W, 3) to `serving_default`, then all files in one request to `from_jpeg`."""
    alone = [("serving_default", {"image": image[None]}) for image in images]
    return [*alone, ("from_jpeg", {"image_bytes": np.array(files, object)})]


def differences(
    answers: Sequence[dict[str, np.ndarray]], expected: Sequence[Prediction]
) -> dict[str, dict[str, float]]:
    """Compares the answers to `requests_for` with the Python path.

    Args:
        answers: one more than pictures.
        expected: one per picture.

    Returns:
        Signature -> quantity of `LIMITS` -> the largest difference over the pictures.
    """
    *alone, together = answers
    found = {
        "serving_default": [_row(answer, 0) for answer in alone],
        "from_jpeg": [_row(together, row) for row in range(len(expected))],
    }
    result = {}
    for signature, rows in found.items():
        each = [_differences(a, b) for a, b in zip(rows, expected, strict=True)]
        result[signature] = {name: float(np.max([one[name] for one in each])) for name in LIMITS}
    return result


def drawn_files() -> list[bytes]:
    """Drawn crowds of four sizes, as JPEG and PNG files."""
    kinds = (".jpg", ".png", ".jpg", ".jpg")
    return [
        encode(render_image(seed, size, (1, 5))["image"], kind)
        for seed, (size, kind) in enumerate(zip(_SIZES, kinds, strict=True))
    ]


def _row(answer: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    """One picture of a batch, without the padding."""
    count = answer["num_poses"][row]
    names = ("boxes", "keypoints", "box_scores", "scores")
    found = {name: answer[name][row, :count] for name in names}
    mask = answer["mask"][row]
    height, width = answer["sizes"][row] if "sizes" in answer else mask.shape
    return found | {"mask": mask[:height, :width]}


def _differences(found: dict[str, np.ndarray], expected: Prediction) -> dict[str, float]:
    poses = expected.poses
    wanted = {
        "boxes": poses.boxes,
        "keypoints": poses.keypoints[..., :2],
        "keypoint_scores": poses.keypoints[..., 2],
        "box_scores": expected.box_scores,
        "scores": poses.scores,
    }
    keypoints = found["keypoints"]
    found = found | {"keypoints": keypoints[..., :2], "keypoint_scores": keypoints[..., 2]}
    count = min(len(found["boxes"]), len(poses.boxes))
    result = {
        name: largest_difference(found[name][:count], array[:count])
        for name, array in wanted.items()
    }
    result["num_poses"] = float(abs(len(found["boxes"]) - len(poses.boxes)))
    same_size = found["mask"].shape == expected.mask.shape
    wrong = np.mean((found["mask"] == 1) != expected.mask) if same_size else 1.0
    return result | {"mask": float(wrong)}
