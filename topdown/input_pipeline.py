"""From people to training crops of a top-down network (Simple Baselines, section 3)."""

import dataclasses
from collections.abc import Mapping

import cv2
import numpy as np

from posekit import affine
from posekit.augment import random_colour
from posekit.commands import UsageError
from posekit.crops import person_crop_transform
from posekit.datasets.image_cache import ImageCache
from posekit.datasets.rejected import RejectedImages
from posekit.heatmaps import keypoint_weights
from posekit.images import ImageError
from topdown.augmentation import Augmentation, random_scale_and_rotation
from topdown.half_body import is_lower, random_half_body
from topdown.people import People
from topdown.settings import Settings

CROPS_AT_A_TIME = 16
"""Crops that one call from tf.data makes."""
BYTES_KEPT = 1 << 29
"""Of decoded images at hand: 430 of 640x480, 145 of 1280x720. Training brings the people of two
batches' images together, see `posekit.loop.batches`; larger images are then read more often."""


class PersonSamples:
    """Makes augmented crops of people and the places of their keypoints.

    Args:
        people: one sample each; people of `people.datasets[n]` train the domain `domain_of[n]`.
        settings: of the network.
        domains: name of each data set's domain, in the order of `people.datasets`.
        augmentation: None for held-out people.
        seed: of the augmentation; a sample depends on (seed, draw) alone.
        mining_from: number of the first draw whose loss mines hard keypoints; None: never.
    """

    def __init__(
        self,
        people: People,
        settings: Settings,
        domains: tuple[str, ...],
        augmentation: Augmentation | None = None,
        seed: int = 0,
        mining_from: int | None = None,
    ):
        self.people = people
        self.settings = settings
        self.augmentation = augmentation
        self.seed = seed
        self.mining_from = np.inf if mining_from is None else mining_from
        self._tables = _tables(people, settings, domains)
        self._crop_options = dataclasses.asdict(settings.crop)
        self._images = ImageCache(self._read, BYTES_KEPT)
        self.rejected = RejectedImages.of(*people.datasets)

    def sample(self, row: int, draw: int = 0) -> tuple[np.ndarray, dict, dict]:
        """Makes one sample.

        Args:
            row: of the person.
            draw: number of this sample in the whole training, the seed of its augmentation.

        Returns:
            crop: (height, width, 3) uint8 RGB.
            targets: keypoints (K, 3) float32 in crop pixels, K of the largest domain; domain ()
                int32; mining () bool, whether hard keypoints are mined; image_id () int64.
            weights: keypoints (K,) float32, 0 where nothing is drawn.
        """
        crops, targets, weights = self.samples(np.array([row]), np.array([draw]))
        targets = {name: values[0] for name, values in targets.items()}
        return crops[0], targets, {"keypoints": weights["keypoints"][0]}

    def samples(self, rows: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, dict, dict]:
        """Makes samples of rows (N,) and draws (N,) as `sample` does, with N in front."""
        settings, tables = self.settings, self._tables
        rngs = [np.random.default_rng((self.seed, draw)) for draw in draws.tolist()]
        transforms, mirrored = self._transforms(rows, rngs)
        crops, whole = self._crops(rows, transforms, rngs)
        number = self.people.dataset[rows]
        keypoints = _moved(tables["keypoints"][rows], transforms)
        twins = np.take_along_axis(keypoints, tables["flip"][number][..., None], axis=1)
        keypoints = np.where(mirrored[:, None, None], twins, keypoints) * whole[:, None, None]
        weights = keypoint_weights(keypoints, settings.size, settings.stride, settings.sigma)
        targets = {
            "keypoints": keypoints,
            "domain": tables["domain"][number],
            "mining": draws >= self.mining_from,
            "image_id": tables["image_id"][rows],
        }
        return crops, targets, {"keypoints": weights}

    def load(self, indices: np.ndarray, draws: np.ndarray):
        """Returns a tf.data.Dataset of the samples, in the order given (see `training.fit`)."""
        import tensorflow as tf

        cv2.setNumThreads(1)  # samples are made side by side; threads within one only wait
        width = self._tables["keypoints"].shape[1]
        shapes = (*self.settings.size, 3), (width, 3), (), (), (), (width,)
        dtypes = tf.uint8, tf.float32, tf.int32, tf.bool, tf.int64, tf.float32

        def samples(rows, numbers):
            crops, targets, weights = self.samples(rows, numbers)
            return [crops, *targets.values(), weights["keypoints"]]

        def load_samples(rows, numbers):
            flat = tf.numpy_function(samples, [rows, numbers], dtypes)
            for tensor, shape in zip(flat, shapes, strict=True):
                tensor.set_shape((None, *shape))
            crops, keypoints, domain, mining, image_id, weights = flat
            targets = {"keypoints": keypoints, "domain": domain, "mining": mining}
            return crops, targets | {"image_id": image_id}, {"keypoints": weights}

        data = tf.data.Dataset.from_tensor_slices((indices, draws)).batch(CROPS_AT_A_TIME)
        data = data.map(load_samples, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return data.unbatch()

    def _read(self, key: tuple[int, int]) -> np.ndarray:
        number, image = key
        # OpenCV warps four bytes a pixel faster than three.
        return cv2.cvtColor(self.people.datasets[number].image(image), cv2.COLOR_RGB2RGBA)

    def _transforms(self, rows: np.ndarray, rngs: list) -> tuple[np.ndarray, np.ndarray]:
        """Returns (N, 2, 3) image pixels -> crop pixels, and (N,) whether they mirror."""
        boxes, size = self.people.boxes[rows], self.settings.size
        chosen = self.augmentation
        if chosen is None:
            transforms = person_crop_transform(boxes, size, **self._crop_options)
            return transforms, np.zeros(len(rows), bool)
        uniform = np.stack([rng.random(6) for rng in rngs])
        normal = np.stack([rng.standard_normal(2) for rng in rngs])
        if chosen.half_body:
            lower = self._tables["lower"][self.people.dataset[rows]]
            keypoints = self._tables["keypoints"][rows]
            boxes = random_half_body(uniform[:, :2], boxes, keypoints, lower, chosen.half_body)
        scale, rotation = random_scale_and_rotation(uniform[:, 2:5], normal, chosen)
        options = self._crop_options | {"scale": scale, "rotation": rotation}
        transforms = person_crop_transform(boxes, size, **options)
        mirrored = uniform[:, 5] < chosen.flip
        transforms[mirrored, 0] *= -1  # x becomes width - 1 - x
        transforms[mirrored, 0, 2] += size[1] - 1
        return transforms, mirrored

    def _crops(
        self, rows: np.ndarray, transforms: np.ndarray, rngs: list
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the crops and (N,) False where the image is damaged; its crop is black."""
        size, chosen = self.settings.size, self.augmentation
        crops = np.empty((len(rows), *size, 3), np.uint8)
        whole = np.ones(len(rows), bool)
        keys = zip(
            self.people.dataset[rows].tolist(), self.people.image[rows].tolist(), strict=True
        )
        for place, key in enumerate(keys):
            try:
                crop = affine.warp(self._images[key], transforms[place], size)
            except ImageError as error:
                self.rejected.add(error)
                crops[place], whole[place] = 0, False
                continue
            cv2.cvtColor(crop, cv2.COLOR_RGBA2RGB, dst=crops[place])
            if chosen and chosen.colour:
                strength = chosen.colour * np.array([1, 1, 1, 0.1])
                crops[place] = random_colour(rngs[place], crops[place], *strength)
        return crops, whole


def _moved(keypoints: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Moves (N, K, 3) by (N, 2, 3); those without a place become 0."""
    places = (
        keypoints[..., :2] @ transforms[:, :, :2].transpose(0, 2, 1) + transforms[:, None, :, 2]
    )
    visible = keypoints[..., 2:]
    return np.concatenate([places, visible], axis=-1) * (visible > 0)


def _tables(people: People, settings: Settings, domains: tuple[str, ...]) -> dict[str, np.ndarray]:
    """What samples look up, of each person or data set; K is that of the largest domain."""
    names = list(settings.domains)
    skeletons = [settings.domains[domain] for domain in domains]
    width = max(skeleton.num_keypoints for skeleton in settings.domains.values())
    flip, lower = (
        np.tile(np.arange(width), (len(domains), 1)),
        np.zeros((len(domains), width), bool),
    )
    for number, skeleton in enumerate(skeletons):
        flip[number, : skeleton.num_keypoints] = skeleton.flip
        lower[number, : skeleton.num_keypoints] = is_lower(skeleton)
    image_ids = np.zeros(len(people), np.int64)
    for number, dataset in enumerate(people.datasets):
        rows = people.dataset == number
        image_ids[rows] = dataset.image_ids[people.image[rows]]
    missing = width - people.keypoints.shape[1]
    return {
        "keypoints": np.pad(people.keypoints, ((0, 0), (0, missing), (0, 0))),
        "image_id": image_ids,
        "domain": np.array([names.index(domain) for domain in domains], np.int32),
        "flip": flip,
        "lower": lower,
    }


def domains_of(settings: Settings, datasets: Mapping) -> tuple[str, ...]:
    """The domain of each data set: its own name where that is a head, else the only head.

    Raises:
        UsageError: no head of that name, and several others.
    """
    heads = list(settings.domains)
    strange = [name for name in datasets if name not in heads]
    if strange and len(heads) > 1:
        raise UsageError(
            f"expected data sets called as one of the heads {heads}, received {strange}; put the "
            "name in front, such as coco=coco:FOLDER"
        )
    return tuple(name if name in heads else heads[0] for name in datasets)
