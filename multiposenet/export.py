"""The joined model as a SavedModel: pictures, or their encoded bytes, in; people out."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from multiposenet.canvas import fit_to_canvas, mask_on_images, people_on_images
from multiposenet.model import (
    pose_head,
    predict_canvases,
    predict_in_graph,
    reading_size,
)
from posekit.datasets.synthetic import render_image
from posekit.export import export_saved_model
from posekit.export_command import encode
from posekit.graph_images import decode_in_graph
from posekit.warm_up import Request

OUTPUTS = {
    "boxes": "x1, y1, x2, y2 of each person, pixels of the image; rows from num_poses on are 0",
    "box_scores": "of the boxes, 0 to 1",
    "keypoints": "x, y, score of each keypoint, pixels of the image, the centre of the top-left "
    "pixel is 0, 0; one that was not found has score 0 and lies where the PRN expects it, or at "
    "0, 0",
    "scores": "of the poses, 0 to 1: mean score of all keypoints",
    "num_poses": "people in each image, also those of low scores (show those with scores of 0.2 "
    "and more); the second axis of the others is the batch's largest",
    "mask": "1 on people, 0 elsewhere, image pixels",
    "sizes": "height and width of each decoded image; beyond them its mask is 0",
}
"""What the outputs of both signatures mean; "sizes" is of from_jpeg only."""


def export(model: keras.Model, output: Path | str, name: str, version: int | None = None) -> Path:
    """Writes OUTPUT/NAME/VERSION with the signatures, warm-up requests and a description.

    Args:
        model: from `model.join`; its own sizes and thresholds are written with it.
        output: folder of all models.
        name: of the model.
        version: see `posekit.export.export_saved_model`.

    Returns:
        The folder of the version.

    Raises:
        UsageError: see `posekit.export.export_saved_model`.
        OSError: it cannot be written.
    """
    return export_saved_model(
        Path(output, name), model, signatures(model), warm_up(), describe(model), version
    )


def signatures(model: keras.Model) -> dict[str, Callable]:
    """Makes the two functions that a server offers; `OUTPUTS` says what they return.

    Args:
        model: from `model.join`.

    Returns:
        serving_default: of "image" (B, H, W, 3) uint8 RGB.
        from_jpeg: of "image_bytes" (B,) string, JPEG or PNG files of any sizes. Each is laid on the
            canvas by itself, so that its poses do not depend on the others of the batch; masks are
            padded with 0 at the right and the bottom. The EXIF orientation is ignored: results are
            in pixels as stored, so a client turns photos upright before it sends them. One
            damaged picture (or other format, or more than `images.MAX_PIXELS`) makes the whole
            request fail with INVALID_ARGUMENT, in TensorFlow Serving HTTP status 400.
    """
    threshold = pose_head(model).settings.mask_threshold

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, "image")])
    def serving_default(image):
        found = predict_in_graph(model, image)
        return found | {"mask": _binary(found["mask"], threshold)}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "image_bytes")])
    def from_jpeg(image_bytes):
        canvases, factors, sizes = _decode_to_canvases(model, image_bytes)
        found = predict_canvases(model, canvases)
        return people_on_images(found, factors, sizes) | {
            "mask": _padded_masks(found["mask"], factors, sizes, threshold),
            "sizes": sizes,
        }

    return {"serving_default": serving_default, "from_jpeg": from_jpeg}


def warm_up() -> list[Request]:
    """One request for each signature, of a drawn picture."""
    image = render_image(1, (240, 320), (2, 4))["image"]
    return [
        ("serving_default", {"image": image[None]}),
        ("from_jpeg", {"image_bytes": np.array([encode(image, ".jpg")], object)}),
    ]


def describe(model: keras.Model) -> dict:
    """What a client needs to know of a joined model, for JSON."""
    head = pose_head(model)
    return {
        "outputs": OUTPUTS,
        "skeleton": dataclasses.asdict(head.skeleton),
        "settings": dataclasses.asdict(head.settings),
        "made_with": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }


def _decode_to_canvases(model: keras.Model, image_bytes: tf.Tensor) -> Sequence[tf.Tensor]:
    """(B,) string -> canvases (B, h, w, 3) uint8, factors (B, 2) and sizes (B, 2) int32."""
    shorter_edge, canvas = reading_size(pose_head(model).settings)

    def one(data):
        image = decode_in_graph(data)
        canvases, factors = fit_to_canvas(image[None], shorter_edge, canvas)
        return canvases[0], factors, tf.shape(image)[:2]

    specs = (
        tf.TensorSpec((*canvas, 3), tf.uint8),
        tf.TensorSpec((2,), tf.float32),
        tf.TensorSpec((2,), tf.int32),
    )
    # Few at a time, because a picture takes 15 bytes a pixel while it is scaled.
    return tf.map_fn(one, image_bytes, fn_output_signature=specs, parallel_iterations=4)


def _padded_masks(
    masks: tf.Tensor, factors: tf.Tensor, sizes: tf.Tensor, threshold: float
) -> tf.Tensor:
    """(B, h, w, 1) of canvases -> (B, H, W) uint8, H and W the largest of the sizes (B, 2)."""
    largest = tf.reduce_max(sizes, axis=0)

    def one(item):
        mask, factor, size = item
        binary = _binary(mask_on_images(mask[None], factor, size)[0], threshold)
        height, width = tf.unstack(largest - size)
        return tf.pad(binary, [[0, height], [0, width]])

    spec = tf.TensorSpec((None, None), tf.uint8)
    return tf.map_fn(one, (masks, factors, sizes), fn_output_signature=spec, parallel_iterations=4)


def _binary(mask: tf.Tensor, threshold: float) -> tf.Tensor:
    return tf.cast(mask >= threshold, tf.uint8)
