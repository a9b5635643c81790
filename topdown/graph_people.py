"""From boxes to crops and from keypoints to scored people, inside a TensorFlow graph.

The twin of `topdown.crops` and `topdown.pose_reader`, for servers.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from posekit.affine import warp_in_graph
from topdown.settings import Crop, Reading


def crop_transforms_in_graph(boxes: tf.Tensor, size: tuple[int, int], crop: Crop) -> tf.Tensor:
    """Does what `crops.crop_transforms` does.

    Args:
        boxes: (N, 4) xyxy, image pixels.
        size: (height, width) of a crop, pixels.
        crop: from box to crop.

    Returns:
        (N, 2, 3) float32, image pixels -> crop pixels.

    Raises:
        tf.errors.InvalidArgumentError: when it runs: a box that is empty or not finite.
    """
    boxes = tf.cast(boxes, tf.float64)
    height, width = size
    extent = boxes[:, 2:] - boxes[:, :2]
    usable = tf.reduce_all(tf.math.is_finite(boxes)) & tf.reduce_all(extent > 0)
    message = "expected finite xyxy boxes with x1 < x2 and y1 < y2, received:"
    with tf.control_dependencies([tf.debugging.Assert(usable, [message, boxes])]):
        wide, high = tf.unstack(
            extent * (1 + 2 * np.array(crop.extension)) + 2 * crop.pixels, axis=1
        )
    if not crop.stretch:
        wide, high = (
            tf.maximum(wide, high * width / height),
            tf.maximum(high, wide * height / width),
        )
    scale = tf.stack([width / (wide * crop.margin), height / (high * crop.margin)], axis=1)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    offset = np.array([width / 2, height / 2]) - scale * middle
    return tf.cast(tf.concat([tf.linalg.diag(scale), offset[:, :, None]], axis=2), tf.float32)


def crop_people_in_graph(
    image: tf.Tensor, transforms: tf.Tensor, size: tuple[int, int]
) -> tf.Tensor:
    """Does what `crops.crop_people` does, with one image.

    Args:
        image: (H, W, 3) uint8 RGB.
        transforms: (N, 2, 3), image pixels -> crop pixels.
        size: (height, width) of a crop, pixels.

    Returns:
        (N, height, width, 3) uint8: rounded, as there, so that the network sees the same.
    """
    image = tf.cast(image, tf.float32)[None]

    def cut(transform):
        crop = warp_in_graph(image, transform[None], size)[0]
        return tf.cast(tf.round(tf.ensure_shape(crop, (*size, 3))), tf.uint8)

    # One by one, because the operation wants as many images as transforms.
    return tf.map_fn(cut, transforms, fn_output_signature=tf.TensorSpec((*size, 3), tf.uint8))


def to_image_in_graph(keypoints: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
    """Moves keypoints (N, K, 3) from crops to the image by transforms (N, 2, 3); float32."""
    matrix = tf.cast(transforms, tf.float64)
    places = tf.cast(keypoints[..., :2], tf.float64) - matrix[:, None, :, 2]
    places = tf.linalg.matmul(places, tf.linalg.inv(matrix[:, :, :2]), transpose_b=True)
    return tf.concat([tf.cast(places, tf.float32), keypoints[..., 2:]], axis=-1)


def rescore_in_graph(keypoints: tf.Tensor, box_scores: tf.Tensor, threshold: float) -> tf.Tensor:
    """Does what `pose_reader.rescore` does: (N, K, 3) and (N,) -> (N,)."""
    values = keypoints[..., 2]
    counted = tf.cast(values > threshold, tf.float32)
    means = tf.math.divide_no_nan(
        tf.reduce_sum(values * counted, axis=1), tf.reduce_sum(counted, axis=1)
    )
    return means * box_scores


def oks_nms_in_graph(
    keypoints: tf.Tensor,
    scores: tf.Tensor,
    areas: tf.Tensor,
    sigmas: Sequence[float],
    threshold: float,
) -> tf.Tensor:
    """Does what `oks.oks_nms` does.

    Args:
        keypoints: (N, K, 3) x, y, score.
        scores: (N,) of the people.
        areas: (N,) px².
        sigmas: K OKS constants.
        threshold: a pose is dropped when its OKS with a kept one is above this.

    Returns:
        (n,) int32 indices of the kept poses, best first; equal scores in the given order.
    """
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    places = tf.gather(tf.cast(keypoints[..., :2], tf.float64), order)
    areas = tf.gather(tf.cast(areas, tf.float64), order)
    squared = tf.reduce_sum((places[:, None] - places) ** 2, axis=-1)
    mean_areas = (areas[:, None] + areas)[..., None] / 2 + np.spacing(1)
    oks = tf.reduce_mean(tf.exp(-squared / (2 * (2 * np.array(sigmas)) ** 2) / mean_areas), axis=-1)
    count = tf.shape(scores)[0]
    # The operation compares in float32 and takes equal scores in any order: places have none.
    above = tf.cast(oks > threshold, tf.float32)
    places = tf.cast(count - tf.range(count), tf.float32)
    kept = tf.image.non_max_suppression_overlaps(above, places, count, overlap_threshold=0.5)
    return tf.gather(order, kept)


def people_in_graph(
    keypoints: tf.Tensor,
    transforms: tf.Tensor,
    boxes: tf.Tensor,
    box_scores: tf.Tensor,
    size: tuple[int, int],
    sigmas: Sequence[float],
    reading: Reading,
) -> dict[str, tf.Tensor]:
    """Does what `pose_reader.PoseReader.people` does, on one image.

    Args:
        keypoints: (N, K, 3) x, y in crop pixels, score.
        transforms: (N, 2, 3), image pixels -> crop pixels.
        boxes: (N, 4) xyxy that were cropped.
        box_scores: (N,) of them.
        size: (height, width) of a crop, pixels.
        sigmas: K OKS constants.
        reading: thresholds.

    Returns:
        keypoints (n, K, 3) in image pixels, scores (n,), boxes (n, 4), box_scores (n,), kept (n,)
        int32: rows of the boxes, num_poses () int32; best people first.
    """
    keypoints = to_image_in_graph(keypoints, transforms)
    scores = rescore_in_graph(keypoints, box_scores, reading.keypoint_threshold)
    shown = tf.abs(tf.linalg.det(tf.cast(transforms[:, :, :2], tf.float64)))
    areas = size[0] * size[1] / shown
    kept = oks_nms_in_graph(keypoints, scores, areas, sigmas, reading.oks_threshold)
    columns = dict(keypoints=keypoints, scores=scores, boxes=boxes, box_scores=box_scores)
    found = {name: tf.gather(column, kept) for name, column in columns.items()}
    return found | {"kept": kept, "num_poses": tf.size(kept)}
