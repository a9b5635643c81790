"""A top-down network as a SavedModel: crops, or a picture and boxes, in; keypoints out."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from posekit.datasets.synthetic import render_image
from posekit.export import export_saved_model
from posekit.export_command import encode
from posekit.graph_decoding import decode_heatmaps_in_graph
from posekit.graph_images import decode_in_graph
from posekit.warm_up import Request
from topdown.graph_people import crop_people_in_graph, crop_transforms_in_graph, people_in_graph
from topdown.pose_reader import PoseReader
from topdown.prediction import maps_in_graph
from topdown.settings import settings_of

OUTPUTS = {
    "keypoints": "x, y, score of each keypoint; of serving_default in pixels of the crop, else of "
    "the image; the centre of the top-left pixel is 0, 0",
    "scores": "of the poses: the box's score times the mean score of the keypoints above "
    "keypoint_threshold",
    "boxes": "x1, y1, x2, y2, those of the request that were kept, pixels of the image",
    "box_scores": "of these boxes",
    "kept": "row of each of these boxes in the request",
    "num_poses": "people, best first: those in boxes of box_threshold and more, without doubles",
    "size": "height and width of the decoded image; of from_jpeg_boxes only",
}
"""What the outputs of all signatures mean."""


def export(
    model: keras.Model,
    output: Path | str,
    name: str,
    version: int | None = None,
    flip: bool = False,
    domain: str | None = None,
) -> Path:
    """Writes OUTPUT/NAME/VERSION with the signatures, warm-up requests and a description.

    Args:
        model: a network with its settings, see `topdown.settings`.
        output: folder of all models.
        name: of the model.
        version: see `posekit.export.export_saved_model`.
        flip: reads mirrored crops as well: twice the time, better.
        domain: head that is read; None: the first.

    Returns:
        The folder of the version.

    Raises:
        ValueError: no such domain.
        UsageError: see `posekit.export.export_saved_model`.
        OSError: it cannot be written.
    """
    made = signatures(model, flip, domain)
    description = describe(model, flip, domain)
    return export_saved_model(Path(output, name), model, made, warm_up(model), description, version)


def signatures(
    model: keras.Model, flip: bool = False, domain: str | None = None
) -> dict[str, Callable]:
    """Makes the functions that a server offers; `OUTPUTS` says what they return.

    Args:
        model: a network with its settings.
        flip: reads mirrored crops as well.
        domain: head that is read; None: the first.

    Returns:
        serving_default: of "crops" (N, height, width, 3) uint8 RGB.
        from_boxes: of "image" (H, W, 3) uint8 RGB, "boxes" (N, 4) xyxy in its pixels and
            "box_scores" (N,). All boxes go through the network at once: 200 of 256x192 take 2 GB
            in a ResNet-50. A box that is empty or not finite, if its score is not below
            box_threshold, makes the request fail with INVALID_ARGUMENT, in TensorFlow Serving HTTP
            status 400.
        from_jpeg_boxes: likewise, of "image_bytes" () string, a JPEG or PNG file, in the place of
            the image. The EXIF orientation is ignored: boxes and results are in pixels as stored.

    N may be 0 everywhere.
    """
    reader = PoseReader(settings_of(model), domain)
    crops = tf.TensorSpec((None, *reader.settings.size, 3), tf.uint8, "crops")
    image = tf.TensorSpec((None, None, 3), tf.uint8, "image")
    image_bytes = tf.TensorSpec((), tf.string, "image_bytes")
    boxes = tf.TensorSpec((None, 4), name="boxes"), tf.TensorSpec((None,), name="box_scores")

    @tf.function(input_signature=[crops])
    def serving_default(crops):
        return {"keypoints": _keypoints(model, reader, flip, crops)}

    @tf.function(input_signature=[image, *boxes])
    def from_boxes(image, boxes, box_scores):
        return _people(model, reader, flip, image, boxes, box_scores)

    @tf.function(input_signature=[image_bytes, *boxes])
    def from_jpeg_boxes(image_bytes, boxes, box_scores):
        image = decode_in_graph(image_bytes)
        found = _people(model, reader, flip, image, boxes, box_scores)
        return found | {"size": tf.shape(image)[:2]}

    return {
        "serving_default": serving_default,
        "from_boxes": from_boxes,
        "from_jpeg_boxes": from_jpeg_boxes,
    }


def warm_up(model: keras.Model) -> list[Request]:
    """One request for each signature, of a drawn picture."""
    example = render_image(1, (240, 320), (2, 4))
    people = {
        "boxes": example["boxes"],
        "box_scores": np.ones(len(example["boxes"]), np.float32),
    }
    height, width = settings_of(model).size
    crops = cv2.resize(example["image"], (width, height))[None]
    data = np.array(encode(example["image"], ".jpg"), object)
    return [
        ("serving_default", {"crops": crops}),
        ("from_boxes", {"image": example["image"], **people}),
        ("from_jpeg_boxes", {"image_bytes": data, **people}),
    ]


def describe(model: keras.Model, flip: bool = False, domain: str | None = None) -> dict:
    """What a client needs to know of a network, for JSON."""
    settings, reader = settings_of(model), PoseReader(settings_of(model), domain)
    return {
        "outputs": OUTPUTS,
        "skeleton": dataclasses.asdict(reader.skeleton),
        "settings": settings.to_config() | {"domain": reader.combination.domains[0], "flip": flip},
        "made_with": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }


def _keypoints(model: keras.Model, reader: PoseReader, flip: bool, crops: tf.Tensor) -> tf.Tensor:
    """Crops (N, height, width, 3) -> (N, K, 3) x, y in crop pixels, score."""
    reading, (domain,) = reader.reading, reader.combination.domains
    # One black crop where there is none, as not every device convolves nothing.
    count = tf.shape(crops)[0]
    padded = tf.pad(crops, [[0, tf.cast(count == 0, tf.int32)], [0, 0], [0, 0], [0, 0]])
    maps = maps_in_graph(model, padded, flip, reading.shift)[domain]
    stride = reader.settings.stride
    return decode_heatmaps_in_graph(maps, stride, reading.offset, reading.blur_sigma)[:count]


def _people(
    model: keras.Model,
    reader: PoseReader,
    flip: bool,
    image: tf.Tensor,
    boxes: tf.Tensor,
    box_scores: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """The people of an image (H, W, 3); see `graph_people.people_in_graph`."""
    settings, reading = reader.settings, reader.reading
    wanted = tf.where(box_scores >= reading.box_threshold)[:, 0]
    boxes, box_scores = tf.gather(boxes, wanted), tf.gather(box_scores, wanted)
    transforms = crop_transforms_in_graph(boxes, settings.size, settings.crop)
    crops = crop_people_in_graph(image, transforms, settings.size)
    keypoints = _keypoints(model, reader, flip, crops)
    options = settings.size, reader.skeleton.sigmas, reading
    found = people_in_graph(keypoints, transforms, boxes, box_scores, *options)
    return found | {"kept": tf.cast(tf.gather(wanted, found["kept"]), tf.int32)}
