"""The whole of MultiPoseNet: one functional graph from images to boxes, poses and a person mask."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from multiposenet.canvas import fit_to_canvas, mask_on_images, people_on_images
from multiposenet.detection_subnet import backbone_of
from multiposenet.pose_head import PoseHead, PoseSettings, mirror_canvases
from posekit.model_loading import load_model
from posekit.skeletons import Skeleton

PRETRAINED = Path(__file__).parents[1] / "pretrained" / "multiposenet-mobilenetv2.keras"
"""Small weights that come with the repository."""


class ModelError(ValueError):
    """A model file that cannot be used, or networks that do not belong together."""

    exit_code = 2


def join(
    keypoint_model: keras.Model,
    detector: keras.Model,
    prn: keras.Model,
    skeleton: Skeleton,
    settings: PoseSettings | None = None,
    **changes,
) -> keras.Model:
    """Joins the three trained networks; the backbone runs once for all of them.

    Args:
        keypoint_model: image to "heatmaps" and "mask" (`keypoint_subnet.keypoint_model`).
        detector: image to "class_logits" and "box_deltas", trained on the same backbone
            (`detection_subnet.detection_model`).
        prn: of as many keypoints (`prn.prn`).
        skeleton: of these keypoints.
        settings: sizes and thresholds.
        changes: fields of `settings` to change.

    Returns:
        Model of "image" (B, H, W, 3) uint8 RGB, H and W multiples of 32, to the outputs of
        `PoseHead`, all of which are in pixels of that input. Its layer "networks" gives the raw
        maps, its layer "poses" makes poses of them. One .keras file holds it all.

    Raises:
        ModelError: the backbones differ, or the numbers of keypoints do.
    """
    _check_parts(keypoint_model, detector, prn, skeleton)
    settings = dataclasses.replace(settings or PoseSettings(), **changes)
    if any(length % 32 for length in settings.canvas):
        raise ModelError(f"expected a canvas in multiples of 32, received {settings.canvas}")
    networks = _networks(keypoint_model, detector)
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    poses = PoseHead(prn, skeleton, settings, name="poses")(networks(image))
    model = keras.Model(image, poses, name="multiposenet")
    model.trainable = False
    return model


def load_multiposenet(path: Path | str) -> keras.Model:
    """Reads a model that `join` made.

    Raises:
        ModelError: naming the file and what was expected.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"{path} is missing; expected a joined model, a .keras file (scripts/join.py makes one)"
        )
    try:
        model = load_model(path)
        pose_head(model)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: expected a joined model, received: {error}") from error
    return model


def pose_head(model: keras.Model) -> PoseHead:
    """The layer that makes poses.

    Raises:
        ModelError: there is none.
    """
    layers = [layer for layer in model.layers if isinstance(layer, PoseHead)]
    if layers:
        return layers[0]
    raise ModelError(
        "expected a model with a PoseHead, received one with the outputs "
        f"{sorted(_outputs(model))}; join the three networks first (scripts/join.py)"
    )


def skeleton_of(model: keras.Model) -> Skeleton:
    """What the keypoints of a joined model are."""
    return pose_head(model).skeleton


def predict_in_graph(
    model: keras.Model,
    images: tf.Tensor,
    scale: float = 1.0,
    flip: bool = False,
) -> dict[str, tf.Tensor]:
    """Finds the people of images of any size.

    Args:
        model: from `join`.
        images: (B, H, W, 3) uint8 RGB, all of one size.
        scale: factor on the model's shorter edge and canvas.
        flip: also runs the mirrored images; heatmaps and masks are averaged, boxes join before
            the suppression.

    Returns:
        boxes (B, N, 4) xyxy, box_scores (B, N), keypoints (B, N, K, 3), scores (B, N), num_poses
        (B,) int32 and mask (B, H, W) float32; image pixels.
    """
    shorter_edge, canvas = reading_size(pose_head(model).settings, scale)
    canvases, factors = fit_to_canvas(images, shorter_edge, canvas)
    found = predict_canvases(model, canvases, flip)
    size = tf.shape(images)[1:3]
    mask = mask_on_images(found["mask"], factors, size)
    return people_on_images(found, factors, size) | {"mask": mask}


def predict_canvases(
    model: keras.Model, canvases: tf.Tensor, flip: bool = False
) -> dict[str, tf.Tensor]:
    """Runs (B, H, W, 3) uint8 canvases; see `PoseHead.call`."""
    if not flip:
        return model(canvases, training=False)
    networks, head = model.get_layer("networks"), pose_head(model)
    mirrored = networks(mirror_canvases(canvases), training=False)
    return head(networks(canvases, training=False), mirrored=mirrored)


def reading_size(settings: PoseSettings, scale: float = 1.0) -> tuple[int, tuple[int, int]]:
    """Shorter edge and canvas at a scale, the canvas in whole multiples of 32 pixels."""
    height, width = (32 * max(round(length * scale / 32), 1) for length in settings.canvas)
    return max(round(settings.shorter_edge * scale), 1), (height, width)


def _networks(keypoint_model: keras.Model, detector: keras.Model) -> keras.Model:
    backbone = backbone_of(keypoint_model)
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    features = backbone(image)
    outputs = {}
    for model, prefix, name in (
        (keypoint_model, "K", "keypoint_heads"),
        (detector, "P", "detector_heads"),
    ):
        levels = [level for level in (2, 3, 4, 5) if _has(model, f"{prefix}{level}_lateral")]
        read = [_reader(model, prefix, level).input for level in levels]
        heads = keras.Model(read, model.output, name=name)
        outputs |= heads([features[f"C{level}"] for level in levels])
    names = ("heatmaps", "mask", "class_logits", "box_deltas")
    return keras.Model(image, {name: outputs[name] for name in names}, name="networks")


def _reader(model: keras.Model, prefix: str, level: int) -> keras.layers.Layer:
    """The layer that first reads a level of the backbone."""
    skips = [layer for layer in model.layers if layer.name.startswith(f"C{level}_every_")]
    return skips[0] if skips else model.get_layer(f"{prefix}{level}_lateral")


def _has(model: keras.Model, name: str) -> bool:
    return any(layer.name == name for layer in model.layers)


def _check_parts(keypoint_model, detector, prn, skeleton: Skeleton) -> None:
    parts = {
        "a keypoint model": (keypoint_model, {"heatmaps", "mask"}),
        "a person detector": (detector, {"class_logits", "box_deltas"}),
        "a PRN": (prn, {"maps"}),
    }
    for name, (model, wanted) in parts.items():
        if not wanted <= _outputs(model):
            raise ModelError(
                f"expected {name} with the outputs {sorted(wanted)}, received one with "
                f"{sorted(_outputs(model))}; name best.keras of its run"
            )
    counts = (
        skeleton.num_keypoints,
        keypoint_model.output["heatmaps"].shape[-1],
        prn.input_shape[-1],
    )
    if len(set(counts)) > 1:
        raise ModelError(
            f"expected one number of keypoints, received {counts[0]} of the skeleton "
            f"{skeleton.name}, {counts[1]} of the keypoint model and {counts[2]} of the PRN"
        )
    pairs = zip(_weights(keypoint_model), _weights(detector), strict=False)
    if len(_weights(keypoint_model)) != len(_weights(detector)) or any(
        a.shape != b.shape or not np.array_equal(a, b) for a, b in pairs
    ):
        raise ModelError(
            "expected a detector on the backbone of this keypoint model, received one whose "
            "backbone has other weights; train it with --keypoint-run naming this model"
        )


def _outputs(model: keras.Model) -> set[str]:
    return set(model.output) if isinstance(model.output, dict) else set()


def _weights(model: keras.Model) -> list[np.ndarray]:
    return backbone_of(model).get_weights()
