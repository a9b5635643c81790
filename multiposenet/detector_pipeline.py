"""From examples to training batches of the person detector."""

import dataclasses

import cv2
import numpy as np

from multiposenet.anchors import anchor_targets, make_anchors
from posekit import affine, augment
from posekit.boxes import box_areas, clip_boxes
from posekit.datasets.rejected import RejectedImages
from posekit.images import ImageError

MIN_VISIBLE = 0.3
"""A person of whom the canvas shows less of the box is neither a person nor background."""


@dataclasses.dataclass(frozen=True)
class DetectorAugmentation:
    """Random changes of a training image; the image also lies anywhere on its canvas."""

    flip: float = 0.5
    """Probability of a horizontal mirror."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Range of the factor on the image's size; what then leaves the canvas is cut off."""
    colour: float = 0.0
    """Strength of brightness, contrast, saturation and, a tenth, hue changes; 0 = none."""


class DetectorSamples:
    """Turns examples of a dataset into (image, targets, weights) of the person detector.

    The image is scaled until its shorter edge has the wanted length, or its longer edge that of the
    canvas, and lies on a black square canvas: held out at the top left, in training anywhere. Black
    counts as background. A damaged image becomes a black sample of weight zero, so that the order
    of all others stays what it is; it is noted in `rejected`.

    Args:
        dataset: yields examples (`posekit.datasets.coco.CocoDataset`).
        shorter_edge: of the scaled image, pixels.
        longer_edge: bound of the scaled image, and side of the canvas: a multiple of 32, pixels.
        augmentation: None for held-out images.
        seed: of the augmentation; a sample depends on (seed, draw) alone.
    """

    def __init__(self, dataset, shorter_edge, longer_edge, augmentation=None, seed=0):
        if longer_edge % 32 or not 0 < shorter_edge <= longer_edge:
            raise ValueError(
                "expected a longer edge in multiples of 32 and at least as long as the shorter "
                f"one, received {longer_edge} and {shorter_edge}"
            )
        self.dataset = dataset
        self.shorter_edge = shorter_edge
        self.size = (longer_edge, longer_edge)
        self.anchors = make_anchors(self.size)
        self.augmentation = augmentation
        self.seed = seed
        self.rejected = RejectedImages.of(dataset)

    def sample(self, index: int, draw: int = 0) -> tuple[np.ndarray, dict, dict]:
        """Makes one sample.

        Args:
            index: of the example in the dataset.
            draw: number of this sample in the whole training, the seed of its augmentation.

        Returns:
            image: (height, width, 3) uint8 RGB.
            targets: class (A, 1) float32, box_deltas (A, 4) float32, image_id () int64.
            weights: class (A, 1) float32, box_deltas (A, 1) float32 (see `anchor_targets`).
        """
        try:
            example = self.example(index, draw)
        except ImageError as error:
            self.rejected.add(error)
            return self._blank(index)
        return example["image"], *self.targets(example)

    def example(self, index: int, draw: int | None = None) -> dict:
        """Returns one image on its canvas; not augmented without `draw`.

        Returns:
            image (height, width, 3) uint8, image_id () int64, transform (2, 3) float32 image pixels
            -> network pixels, and in network pixels, edges as in COCO files: boxes (N, 4) float32
            of people, ignored_boxes (M, 4) float32 of crowds and of people mostly cut off.

        Raises:
            ImageError: the image file is damaged or missing.
        """
        example = self.dataset.example(index)
        augmentation = None if draw is None else self.augmentation
        rng = None if augmentation is None else np.random.default_rng((self.seed, draw))
        image = example["image"]
        transform = self.transform(image.shape[:2], rng)
        if augmentation is not None and augmentation.colour:
            # Before the image lies on its canvas, which stays black.
            strength = augmentation.colour * np.array([1, 1, 1, 0.1])
            image = augment.random_colour(rng, image, *strength)
        boxes = affine.transform_boxes(example["boxes"], transform)
        shown = clip_boxes(boxes, self.size)
        visible = box_areas(shown) / np.maximum(box_areas(boxes), 1e-6)
        ignored = example["is_crowd"] | (visible < MIN_VISIBLE)
        return {
            "image": affine.warp(image, transform, self.size),
            "image_id": np.int64(example["image_id"]),
            "transform": transform,
            "boxes": shown[~ignored],
            "ignored_boxes": shown[ignored],
        }

    def transform(
        self, image_size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Places an image of (height, width) pixels on the canvas, by chance where `rng` is given.

        Returns:
            (2, 3) float32, image pixels -> network pixels.
        """
        shorter, longer = sorted(image_size)
        scale = min(self.shorter_edge / shorter, self.size[0] / longer)
        if rng is not None:
            scale *= rng.uniform(*self.augmentation.scale)
        # The outer corner of the top-left pixel, (-0.5, -0.5), comes to that of the canvas.
        steps = [
            affine.translation(0.5, 0.5),
            affine.scaling(scale),
            affine.translation(-0.5, -0.5),
        ]
        if rng is None:
            return affine.compose(*steps)
        free = np.array(self.size[::-1]) - scale * np.array(image_size[::-1])
        steps.append(affine.translation(*(free * rng.random(2))))
        mirrored = rng.random() < self.augmentation.flip
        return affine.compose(*steps, *([affine.mirror(self.size[1])] if mirrored else []))

    def targets(self, example: dict) -> tuple[dict, dict]:
        """Returns the targets and weights of an example of `example` (see `sample`)."""
        boxes = example["boxes"], example["ignored_boxes"]
        targets, weights = anchor_targets(self.anchors, *boxes)
        return targets | {"image_id": example["image_id"]}, weights

    def load(self, indices: np.ndarray, draws: np.ndarray):
        """Returns a tf.data.Dataset of the samples, in the order given (see `training.fit`)."""
        import tensorflow as tf

        cv2.setNumThreads(1)  # samples are made side by side; threads within one only wait
        count = len(self.anchors)
        column = tf.TensorSpec((count, 1), tf.float32)
        deltas, number = tf.TensorSpec((count, 4), tf.float32), tf.TensorSpec((), tf.int64)
        form = (
            tf.TensorSpec((*self.size, 3), tf.uint8),
            {"class": column, "box_deltas": deltas, "image_id": number},
            {"class": column, "box_deltas": column},
        )
        specs = tf.nest.flatten(form)

        def flat_sample(index, draw):
            return tf.nest.flatten(self.sample(int(index), int(draw)))

        def load_sample(index, draw):
            flat = tf.numpy_function(flat_sample, [index, draw], [spec.dtype for spec in specs])
            for tensor, spec in zip(flat, specs, strict=True):
                tensor.set_shape(spec.shape)
            return tf.nest.pack_sequence_as(form, flat)

        data = tf.data.Dataset.from_tensor_slices((indices, draws))
        return data.map(load_sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def _blank(self, index: int):
        none = np.zeros((len(self.anchors), 1), np.float32)
        targets = {"class": none, "box_deltas": np.tile(none, 4)}
        targets["image_id"] = np.int64(self.dataset.image_ids[index])
        return np.zeros((*self.size, 3), np.uint8), targets, {"class": none, "box_deltas": none}
