"""From examples to training batches of the keypoint subnet (MultiPoseNet section 3.5)."""

import dataclasses

import cv2
import numpy as np

from multiposenet.keypoint_subnet import STRIDE
from posekit import augment, crops, heatmaps
from posekit.datasets.rejected import RejectedImages
from posekit.images import ImageError


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Random changes of a training patch; the defaults are the paper's."""

    rotation: float = 40.0
    """Greatest rotation either way, degrees."""
    scale: tuple[float, float] = (0.8, 1.2)
    """Range of the scale; at 1 the shorter side of the image fills the patch."""
    flip: float = 0.3
    """Probability of a horizontal mirror (the paper's "vertical flipping")."""
    colour: float = 0.0
    """Strength of brightness, contrast, saturation and, a tenth, hue changes; 0 = none."""


class KeypointSamples:
    """Turns examples of a dataset into (image, targets, weights) of the keypoint subnet.

    A damaged image becomes a black sample of weight zero, so that the order of all others stays
    what it is; it is noted in `rejected`.

    Args:
        dataset: yields examples (`posekit.datasets.coco.CocoDataset`).
        size: network input (height, width), multiples of 32.
        sigma: Gaussian radius in heatmap cells.
        augmentation: None for held-out images: the whole image, scaled to fit, in the middle.
        seed: of the augmentation; a sample depends on (seed, draw) alone.
    """

    def __init__(self, dataset, size, sigma=2.0, augmentation=None, seed=0):
        if any(side % 32 for side in size):
            raise ValueError(f"expected a size in multiples of 32, received {tuple(size)}")
        self.dataset = dataset
        self.size = tuple(size)
        self.sigma = sigma
        self.augmentation = augmentation
        self.seed = seed
        self.rejected = RejectedImages.of(dataset)

    def sample(self, index: int, draw: int = 0) -> tuple[dict, dict, dict]:
        """Makes one sample.

        Args:
            index: of the example in the dataset.
            draw: number of this sample in the whole training, the seed of its augmentation.

        Returns:
            image: (height, width, 3) uint8 RGB.
            targets: heatmaps (h, w, K) float32, mask (h, w, 1) float32, image_id () int64.
            weights: heatmaps (h, w, 1) float32: 0 on people without keypoint annotation, except
                where a labelled keypoint is drawn; mask (h, w, 1) float32: 0 where it is unknown.
        """
        try:
            example = self.example(index, draw)
        except ImageError as error:
            self.rejected.add(error)
            return self._blank(index)
        return example["image"], *self.targets(example)

    def example(self, index: int, draw: int | None = None) -> dict:
        """Returns the example in network pixels, masks at heatmap size.

        Without `draw` it is not augmented.

        Raises:
            ImageError: the image file is damaged or missing.
        """
        example = self.dataset.example(index)
        image_size, skeleton = example["image"].shape[:2], self.dataset.skeleton
        augmentation = None if draw is None else self.augmentation
        if augmentation is None:
            transform = crops.fit_transform(image_size, self.size, side="longer")
        else:
            rng = np.random.default_rng((self.seed, draw))
            transform = patch_transform(rng, example, self.size, augmentation)
        example = augment.transform_example(
            example, transform, self.size, skeleton, mask_stride=STRIDE
        )
        if augmentation is not None and augmentation.colour:
            strength = augmentation.colour * np.array([1, 1, 1, 0.1])
            example["image"] = augment.random_colour(rng, example["image"], *strength)
        return example

    def targets(self, example: dict) -> tuple[dict, dict]:
        """Returns the targets and weights of an example in network pixels (see `sample`)."""
        maps = heatmaps.encode_heatmaps(example["keypoints"], self.size, STRIDE, self.sigma)
        wanted = ~example["ignore_mask"]
        if not wanted.all():  # a sum over channels by matrix product: ten times as fast as any()
            wanted |= maps @ np.ones(maps.shape[-1], np.float32) > 0.01
        targets = {"heatmaps": maps, "mask": _column(example["person_mask"])}
        weights = {"heatmaps": _column(wanted), "mask": _column(~example["unknown_mask"])}
        return targets | {"image_id": np.int64(example["image_id"])}, weights

    def load(self, indices: np.ndarray, draws: np.ndarray):
        """Returns a tf.data.Dataset of the samples, in the order given (see `training.fit`)."""
        import tensorflow as tf

        cv2.setNumThreads(1)  # samples are made side by side; threads within one only wait
        height, width = (side // STRIDE for side in self.size)
        num_keypoints = self.dataset.skeleton.num_keypoints
        shapes = (*self.size, 3), (height, width, num_keypoints), *[(height, width, 1)] * 3, ()
        dtypes = (tf.uint8, *[tf.float32] * 4, tf.int64)

        def flat_sample(index, draw):
            image, targets, weights = self.sample(int(index), int(draw))
            return (
                image,
                targets["heatmaps"],
                targets["mask"],
                weights["heatmaps"],
                weights["mask"],
                targets["image_id"],
            )

        def load_sample(index, draw):
            flat = tf.numpy_function(flat_sample, [index, draw], dtypes)
            for tensor, shape in zip(flat, shapes, strict=True):
                tensor.set_shape(shape)
            image, maps, mask, map_weights, mask_weights, image_id = flat
            targets = {"heatmaps": maps, "mask": mask, "image_id": image_id}
            return image, targets, {"heatmaps": map_weights, "mask": mask_weights}

        data = tf.data.Dataset.from_tensor_slices((indices, draws))
        return data.map(load_sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def _blank(self, index: int):
        cells = tuple(side // STRIDE for side in self.size)
        none = np.zeros((*cells, 1), np.float32)
        maps = np.zeros((*cells, self.dataset.skeleton.num_keypoints), np.float32)
        targets = {"heatmaps": maps, "mask": none}
        targets["image_id"] = np.int64(self.dataset.image_ids[index])
        return np.zeros((*self.size, 3), np.uint8), targets, {"heatmaps": none, "mask": none}


def patch_transform(
    rng: np.random.Generator, example: dict, size: tuple[int, int], augmentation: Augmentation
) -> np.ndarray:
    """Draws the transform of a training patch round the crowd or the main person.

    The focus is, with equal chance, the middle of all annotated people or the middle of the largest
    one; the middle of the image where nobody is annotated. At scale 1 the shorter side of the image
    fills the patch, so people are as large as in whole images evaluated at that scale.

    Args:
        rng: source of randomness.
        example: of one image.
        size: patch (height, width), pixels.
        augmentation: ranges.

    Returns:
        (2, 3) float32, image pixels -> patch pixels.
    """
    image_size = example["image"].shape[:2]
    labelled = (example["keypoints"][:, :, 2] > 0).any(axis=1)
    boxes = example["boxes"][labelled]
    centre = None
    if len(boxes):
        main = boxes[[example["areas"][labelled].argmax()]]
        focus = main if rng.random() < 0.5 else boxes
        low, high = focus[:, :2].min(axis=0), focus[:, 2:].max(axis=0)
        centre = tuple((low + high) / 2)
    base = crops.fit_transform(image_size, size, side="shorter", centre=centre)
    return augment.random_transform(
        rng,
        image_size,
        size,
        base,
        rotation=augmentation.rotation,
        scale=augmentation.scale,
        translation=0.05 * min(size),
        flip=augmentation.flip,
    )


def _column(mask: np.ndarray) -> np.ndarray:
    return mask[..., None].astype(np.float32)
