"""A trained PRN from its file, and the skeleton that its maps stand for."""

from pathlib import Path

import keras

from posekit.commands import UsageError
from posekit.model_loading import load_model
from posekit.skeletons import COCO, MDPN_UNION, MPII, POSETRACK, Skeleton, load_skeleton

_SKELETONS = {skeleton.name: skeleton for skeleton in (COCO, MPII, POSETRACK, MDPN_UNION)}


class PrnFileError(ValueError):
    """A file that holds no PRN, or the PRN of another skeleton."""

    exit_code = 2


def load_prn(path: Path, skeleton: Skeleton) -> keras.Model:
    """Reads a network of `prn.prn`.

    Args:
        path: .keras file.
        skeleton: what its maps must stand for; the file itself knows their number only.

    Raises:
        PrnFileError: naming the file and what was expected.
    """
    if not path.is_file():
        raise PrnFileError(f"{path} is missing; expected a trained PRN, best.keras of a run")
    try:
        model = load_model(path)
    except (ValueError, OSError, TypeError) as error:
        raise PrnFileError(f"{path}: expected a trained PRN, received: {error}") from error
    shape, outputs = model.input_shape, getattr(model, "output_names", ())
    count = skeleton.num_keypoints
    if len(shape) != 4 or "maps" not in outputs:
        raise PrnFileError(
            f"{path}: expected a trained PRN, received a model of input {shape} and outputs "
            f"{', '.join(outputs)}; take best.keras of a run of train_prn.py"
        )
    if shape[-1] != count:
        raise PrnFileError(
            f"{path}: expected maps of {count} keypoints, as skeleton {skeleton.name!r} has, "
            f"received {shape[-1]}; take the skeleton that it was trained with"
        )
    return model


def skeleton_named(word: str) -> Skeleton:
    """Returns a built-in skeleton by its name, or one from a YAML file.

    Raises:
        UsageError: there is neither, or the file is wrong.
    """
    if word in _SKELETONS:
        return _SKELETONS[word]
    if not Path(word).is_file():
        raise UsageError(
            f"--skeleton: expected one of {', '.join(_SKELETONS)} or a YAML file, received {word!r}"
        )
    try:
        return load_skeleton(word)
    except (ValueError, OSError) as error:
        raise UsageError(f"--skeleton: {error}") from error
