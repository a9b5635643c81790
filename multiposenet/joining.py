"""Joins trained networks from files to one model file."""

from pathlib import Path

import keras

from multiposenet.model import ModelError, join
from multiposenet.prn_files import skeleton_named
from posekit.checkpoints import save_keras
from posekit.half_precision import save_half
from posekit.model_loading import load_model


def join_files(
    keypoints: Path,
    detector: Path,
    prn: Path,
    output: Path,
    skeleton: str = "coco",
    half: bool = False,
    **settings,
) -> keras.Model:
    """Joins three networks and writes the model; see `model.join`.

    Args:
        keypoints: run folder, whose best.keras is taken, or .keras file.
        detector: likewise.
        prn: likewise.
        output: .keras file to write.
        skeleton: name of a known one, or YAML file.
        half: kernels in half precision.
        settings: fields of `pose_head.PoseSettings`.

    Raises:
        ModelError: naming the file that cannot be used.
    """
    parts = [_load(path) for path in (keypoints, detector, prn)]
    model = join(*parts, skeleton_named(skeleton), **settings)
    output.parent.mkdir(parents=True, exist_ok=True)
    (save_half if half else save_keras)(model, output)
    return model


def _load(path: Path) -> keras.Model:
    path = path / "best.keras" if path.is_dir() else path
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a finished run or a .keras file")
    try:
        return load_model(path)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: expected a trained network, received: {error}") from error
