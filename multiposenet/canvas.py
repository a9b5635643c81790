"""Images of any size onto the network's canvas, and what is found there back, inside a graph.

An image is scaled with its outer edges on those of the result and lies at the top left of a black
canvas of fixed size, so that nothing depends on the other images of a batch.
"""

import tensorflow as tf

from multiposenet.keypoint_subnet import STRIDE


def fit_to_canvas(
    images: tf.Tensor, shorter_edge: int, canvas: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scales images until the shorter edge has its length, or the canvas is full.

    Args:
        images: (B, H, W, 3) uint8 RGB, all of one size.
        shorter_edge: of the scaled image, pixels.
        canvas: (height, width), multiples of 32.

    Returns:
        canvases: (B, height, width, 3) uint8; averaged where the image shrinks.
        factors: (2,) float32, canvas pixels per image pixel along y and x.
    """
    size = tf.cast(tf.shape(images)[1:3], tf.float32)
    limits = tf.constant(canvas, tf.float32)
    factor = tf.minimum(shorter_edge / tf.reduce_min(size), tf.reduce_min(limits / size))
    scaled = tf.clip_by_value(tf.round(size * factor), 1.0, limits)
    height, width = tf.unstack(tf.cast(scaled, tf.int32))
    small = tf.image.resize(images, (height, width), antialias=True)
    small = tf.cast(tf.clip_by_value(tf.round(small), 0.0, 255.0), tf.uint8)
    edges = [[0, 0], [0, canvas[0] - height], [0, canvas[1] - width], [0, 0]]
    canvases = tf.ensure_shape(tf.pad(small, edges), (None, *canvas, 3))
    return canvases, scaled / size


def boxes_on_images(boxes: tf.Tensor, factors: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Brings boxes back, cut at the image's edges.

    Args:
        boxes: (B, N, 4) xyxy, canvas pixels, edges as in COCO files.
        factors: (2,) or (B, 2), see `fit_to_canvas`.
        sizes: (2,) or (B, 2), (height, width) of the images.

    Returns:
        (B, N, 4) float32, image pixels.
    """
    factors, limits = (
        tf.reshape(tf.reverse(tf.cast(pair, tf.float32), [-1]), (-1, 1, 2))
        for pair in (factors, sizes)
    )
    return tf.clip_by_value(boxes / tf.tile(factors, (1, 1, 2)), 0.0, tf.tile(limits, (1, 1, 2)))


def keypoints_on_images(keypoints: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Brings keypoints (B, N, K, 3) x, y, score back; 0, 0, 0 stays as it is."""
    factors = tf.reshape(tf.reverse(factors, [-1]), (-1, 1, 1, 2))
    places = (keypoints[..., :2] + 0.5) / factors - 0.5
    back = tf.concat([places, keypoints[..., 2:]], axis=-1)
    return tf.where(tf.reduce_any(keypoints != 0, axis=-1, keepdims=True), back, 0.0)


def people_on_images(
    found: dict[str, tf.Tensor], factors: tf.Tensor, sizes: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Brings people back, and leaves out those in the black round an image.

    Args:
        found: boxes (B, N, 4), keypoints (B, N, K, 3), scores and box_scores (B, N) and num_poses
            (B,), canvas pixels; other entries stay as they are.
        factors: (2,) or (B, 2), see `fit_to_canvas`.
        sizes: (2,) or (B, 2), (height, width) of the images.

    Returns:
        The same in image pixels, with N the largest number of people left; rows beyond num_poses
        are 0.
    """
    boxes = boxes_on_images(found["boxes"], factors, sizes)
    there = tf.sequence_mask(found["num_poses"], tf.shape(boxes)[1])
    there &= tf.reduce_all(boxes[..., 2:] > boxes[..., :2], axis=-1)
    num = tf.reduce_sum(tf.cast(there, tf.int32), axis=1)
    left = tf.sequence_mask(num, dtype=tf.float32)
    order = tf.argsort(tf.cast(~there, tf.int32), axis=1, stable=True)[:, : tf.shape(left)[1]]
    people = {
        "boxes": boxes,
        "keypoints": keypoints_on_images(found["keypoints"], factors),
        "scores": found["scores"],
        "box_scores": found["box_scores"],
    }
    for name, values in people.items():
        own = tf.reshape(left, tf.concat([tf.shape(left), tf.ones(values.ndim - 2, tf.int32)], 0))
        people[name] = tf.gather(values, order, batch_dims=1) * own
    return found | people | {"num_poses": num}


def mask_on_images(mask: tf.Tensor, factors: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Enlarges the mask channel, bilinear.

    Args:
        mask: (B, h, w, 1), cell i at the canvas pixel 4 i.
        factors: (2,), see `fit_to_canvas`.
        size: (2,) int32 (height, width) of the images.

    Returns:
        (B, height, width) float32.
    """
    rows, columns = (
        _interpolation(size[axis], tf.shape(mask)[1 + axis], factors[axis]) for axis in (0, 1)
    )
    return tf.einsum("Yh,bhw,Xw->bYX", rows, mask[..., 0], columns)


def _interpolation(pixels: tf.Tensor, cells: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Weights (pixels, cells) of cells in image pixels; beyond the last cell it goes on."""
    places = ((tf.range(tf.cast(pixels, tf.float32)) + 0.5) * factor - 0.5) / STRIDE
    cells = tf.cast(cells, tf.float32)
    places = tf.clip_by_value(places, 0.0, cells - 1)
    return tf.maximum(1 - tf.abs(places[:, None] - tf.range(cells)), 0.0)
