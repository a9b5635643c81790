"""From examples to training batches of SSD."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from posekit import affine
from posekit.boxes import clip_boxes
from posekit.colours import IMAGENET_MEAN
from posekit.datasets.coco import CocoDataset
from posekit.datasets.rejected import RejectedImages
from posekit.images import ImageError
from topdown.default_boxes import make_default_boxes
from topdown.ssd_augment import (
    SsdAugmentation,
    centres_inside,
    draw_window,
    random_colours,
    random_window,
    window_transform,
)
from topdown.ssd_settings import SsdSettings
from topdown.ssd_targets import ssd_targets


@dataclasses.dataclass(frozen=True)
class JoinedDatasets:
    """Several data sets as one: the images of the first, then those of the second, and so on.

    Args:
        datasets: at least one.
    """

    datasets: Sequence[CocoDataset]

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    @property
    def image_ids(self) -> np.ndarray:
        """(M,) int64; unique within a data set only."""
        return np.concatenate([dataset.image_ids for dataset in self.datasets])

    @property
    def image_folder(self) -> Path:
        """That of the first data set."""
        return self.datasets[0].image_folder

    def image(self, i: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        dataset, i = self._find(i)
        return dataset.image(i)

    def annotations(self, i: int) -> dict[str, np.ndarray]:
        """See `posekit.datasets.coco.CocoDataset.annotations`."""
        dataset, i = self._find(i)
        return dataset.annotations(i)

    def _find(self, i: int) -> tuple[CocoDataset, int]:
        ends = np.cumsum([len(dataset) for dataset in self.datasets])
        number = int(np.searchsorted(ends, i, side="right"))
        return self.datasets[number], int(i - (ends[number - 1] if number else 0))


class SsdSamples:
    """Turns examples of a dataset into (image, targets, weights) of SSD.

    The image, or what augmentation chooses of it, is stretched to the square input, as SSD does it.
    A damaged image becomes a mean-coloured sample without people, so that the order of all others
    stays what it is; it is noted in `rejected`.

    Args:
        dataset: `posekit.datasets.coco.CocoDataset` or `JoinedDatasets`.
        settings: input size and default boxes.
        overlap: least IoU of a default box with its person, see `ssd_targets.match_boxes`.
        augmentation: None for held-out images.
        seed: of the augmentation; a sample depends on (seed, draw) alone.
    """

    def __init__(
        self,
        dataset: CocoDataset | JoinedDatasets,
        settings: SsdSettings,
        overlap: float = 0.5,
        augmentation: SsdAugmentation | None = None,
        seed: int = 0,
    ):
        self.dataset = dataset
        self.size = settings.size
        self.default_boxes = make_default_boxes(settings.size, settings.scales)
        self.overlap = overlap
        self.augmentation = augmentation
        self.seed = seed
        parts = dataset.datasets if isinstance(dataset, JoinedDatasets) else [dataset]
        self.rejected = RejectedImages.of(*parts)

    def sample(self, index: int, draw: int = 0) -> tuple[np.ndarray, dict, dict]:
        """Makes one sample.

        Args:
            index: of the example in the dataset.
            draw: number of this sample in the whole training, the seed of its augmentation.

        Returns:
            image: (size, size, 3) uint8 RGB.
            targets: class (A, 1) float32, box_deltas (A, 4) float32, image_id () int64.
            weights: class (A, 1) float32, box_deltas (A, 1) float32 (see `ssd_targets`).
        """
        try:
            example = self.example(index, draw)
        except ImageError as error:
            self.rejected.add(error)
            return self._blank(index)
        return example["image"], *self.targets(example)

    def example(self, index: int, draw: int | None = None) -> dict:
        """Returns one image as the network sees it; not augmented without `draw`.

        Returns:
            image (size, size, 3) uint8, image_id () int64, transform (2, 3) float32 image pixels ->
            network pixels, and in network pixels, edges as in COCO files: boxes (N, 4) float32 of
            people whose centre is shown, ignored_boxes (M, 4) float32 of crowds and of what the
            data set says is not annotated (PoseTrack's ignore regions).

        Raises:
            ImageError: the image file is damaged or missing.
        """
        image, people = self.dataset.image(index), self.dataset.annotations(index)
        boxes, crowds = people["boxes"][~people["is_crowd"]], people["boxes"][people["is_crowd"]]
        ignored = np.concatenate([crowds, people.get("ignored_boxes", np.zeros((0, 4)))])
        height, width = image.shape[:2]
        window, mirrored = np.array([0, 0, width, height]), False
        if draw is not None and self.augmentation is not None:
            rng = np.random.default_rng((self.seed, draw))
            window = random_window(rng, (height, width), boxes, self.augmentation)
            mirrored = rng.random() < self.augmentation.flip
            if self.augmentation.colour:
                image = random_colours(rng, image, self.augmentation.colour)
        transform = window_transform(window, self.size, mirrored)
        shown = boxes[centres_inside(boxes, window[None])[0]]
        return {
            "image": draw_window(image, transform, self.size),
            "image_id": np.int64(people["image_id"]),
            "transform": transform,
            "boxes": self._move(shown, transform),
            "ignored_boxes": self._move(ignored, transform),
        }

    def targets(self, example: dict) -> tuple[dict, dict]:
        """Returns the targets and weights of an example of `example` (see `sample`)."""
        boxes = example["boxes"], example["ignored_boxes"]
        targets, weights = ssd_targets(self.default_boxes, *boxes, self.overlap)
        return targets | {"image_id": example["image_id"]}, weights

    def load(self, indices: np.ndarray, draws: np.ndarray):
        """Returns a tf.data.Dataset of the samples, in the order given (see `training.fit`)."""
        import tensorflow as tf

        cv2.setNumThreads(1)  # samples are made side by side; threads within one only wait
        count = len(self.default_boxes)
        column, deltas = (tf.TensorSpec((count, width), tf.float32) for width in (1, 4))
        number = tf.TensorSpec((), tf.int64)
        form = (
            tf.TensorSpec((self.size, self.size, 3), tf.uint8),
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

    def _move(self, boxes: np.ndarray, transform: np.ndarray) -> np.ndarray:
        """Boxes on the network input, clipped; those left without an area are gone."""
        size = (self.size, self.size)
        moved = clip_boxes(affine.transform_boxes(boxes, transform), size).astype(np.float32)
        return moved[(moved[:, 2:] > moved[:, :2]).all(axis=1)]

    def _blank(self, index: int) -> tuple[np.ndarray, dict, dict]:
        colour = np.round(IMAGENET_MEAN).astype(np.uint8)
        nobody = {"boxes": np.zeros((0, 4), np.float32), "ignored_boxes": np.zeros((0, 4))}
        example = nobody | {"image_id": np.int64(self.dataset.image_ids[index])}
        return np.tile(colour, (self.size, self.size, 1)), *self.targets(example)
