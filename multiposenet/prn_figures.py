"""The figures of a trained PRN, from files: beside those that need no learning."""

from pathlib import Path

import keras
import numpy as np

from multiposenet.prn import input_kind
from multiposenet.prn_evaluation import Figures, Method, assignment_ap, crowded_images, floors
from multiposenet.prn_files import load_prn
from multiposenet.prn_inputs import SIZE, InputKind
from multiposenet.prn_people import AnnotationError, Boxes, People, load_people, prior_maps
from posekit.npz_files import read_npz

_BOXES = {
    "all": "ground truth, with crowds and people without keypoints",
    "no-crowd": "ground truth, with people without keypoints, no crowds",
    "labelled": "ground truth of people with keypoints",
}


def measure(
    model_path: Path | None,
    data: Path,
    split: str = "val",
    boxes: Boxes = "all",
    prior_path: Path | None = None,
) -> tuple[Figures, dict[str, object]]:
    """Measures assignment AP of a saved network and of the floors.

    Args:
        model_path: .keras file of `prn`; None for the floors alone.
        data: see `load_people`.
        split: as there.
        boxes: whose boxes take part.
        prior_path: prior.npz, or people whose mean it is; None: prior.npz beside the model, and no
            UCR where there is none.

    Returns:
        Figures of all and of the crowded images, and the protocol.

    Raises:
        AnnotationError, PrnFileError: a file that cannot be used.
    """
    people = load_people(data, split).with_boxes(boxes)
    beside = model_path.with_name("prior.npz") if model_path else None
    prior_path = prior_path or (beside if beside and beside.is_file() else None)
    methods = floors(prior_path and _prior(prior_path, people.skeleton.num_keypoints))
    model = load_prn(model_path, people.skeleton) if model_path is not None else None
    kind = input_kind(model) if model else "peaks"
    protocol = protocol_of(data.name, boxes, people, kind)
    if model:
        methods = {"prn": network_of(model)} | methods
        protocol |= {"model": model_path.name, "parameters": model.count_params()}
    subsets = {"crowded": crowded_images(people)}
    figures = assignment_ap(methods, people, subsets=subsets, kind=kind)
    return figures, protocol


def network_of(model: keras.Model) -> Method:
    """The network as a function of (N, h, w, K) inputs to maps."""
    # Not model.predict: under several workers it waits for all of them.
    import tensorflow as tf

    spec = tf.TensorSpec(model.input_shape, tf.float32)
    return tf.function(lambda x: model(x, training=False)["maps"], input_signature=[spec])


def protocol_of(
    data: str, boxes: Boxes, people: People, kind: InputKind = "peaks"
) -> dict[str, object]:
    """Says what assignment AP is measured on."""
    return {
        "data": data,
        "keypoints": "ground truth",
        "boxes": _BOXES[boxes],
        "inputs": kind,
        "skeleton": people.skeleton.name,
        "images": len(people.image_ids),
        "people": len(people),
        "crowded": "3 or more people whose boxes overlap another at IoU 0.1",
        "crowded_images": len(crowded_images(people)),
    }


def _prior(path: Path, num_keypoints: int) -> np.ndarray:
    if path.suffix == ".npz":
        try:
            arrays = read_npz(path)
        except (ValueError, OSError) as error:
            raise AnnotationError(str(error)) from error
        if "prior" in arrays:
            return _checked(arrays["prior"], path, num_keypoints)
    return _checked(prior_maps(load_people(path)), path, num_keypoints)


def _checked(prior: np.ndarray, path: Path, num_keypoints: int) -> np.ndarray:
    shape = (*SIZE, num_keypoints)
    if prior.shape != shape or not np.isfinite(prior).all():
        raise AnnotationError(
            f"{path}: expected prior.npz of a PRN's run, or people, for finite maps of {shape}, "
            f"received {prior.shape} of {prior.dtype}"
        )
    return prior
