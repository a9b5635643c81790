"""Feeds the PRN's training: people of annotation files with the candidates of their images.

The network's inputs and labels are drawn of them in the graph, see `prn.training_form`.
"""

import dataclasses
import functools

import numpy as np

from multiposenet.prn_inputs import check_people
from multiposenet.prn_people import People

CHUNK = 256
"""People read in one call."""
FIRST_SHARE = 0.2
"""Share of the people, the easiest, with which a curriculum begins."""


@dataclasses.dataclass(frozen=True, eq=False)
class PrnSamples:
    """People to train on, each with all keypoints of its image as candidates.

    Args:
        people: everybody, also those that are only distractors.
        rows: (n,) people to train on; with a curriculum in the order of `easiest_first`.
        jitter: standard deviation of the noise on candidates, in parts of the box's sides.
        false_peaks: probability of one false candidate of each keypoint, anywhere in the box.
        missing_peaks: probability that a keypoint of the image is no candidate; the label stays.
        curriculum: number of samples after which all rows take part; before that a share of them
            that grows evenly from `FIRST_SHARE`.
        seed: of the augmentation.
    """

    people: People
    rows: np.ndarray
    jitter: float = 0.0
    false_peaks: float = 0.0
    missing_peaks: float = 0.0
    curriculum: int = 0
    seed: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, indices: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """The people (m,) at `indices`; early in a curriculum, easier ones in their place."""
        if not self.curriculum:
            return self.rows[indices]
        progress = np.minimum(np.asarray(draws) / self.curriculum, 1)
        share = FIRST_SHARE + (1 - FIRST_SHARE) * progress
        return self.rows[(np.asarray(indices) * share).astype(np.int64)]

    def arrays(self, indices: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, ...]:
        """Draws some samples.

        Args:
            indices: (m,) into `rows`.
            draws: (m,) numbers of these samples in the whole training, the seeds of augmentation.

        Returns:
            candidates: (m, M, K, 3) float32, all of each one's image; M is the same for all.
            boxes: (m, 4) float32.
            keypoints: (m, K, 3) float32, their own.
            image_ids: (m,) int64.
        """
        people, rows = self.people, self.chosen(indices, draws)
        images, boxes = self._images[rows], people.boxes[rows]
        candidates = self._augmented(people.candidates(images, self._limit), boxes, draws)
        check_people(candidates, boxes)
        return candidates, boxes, people.keypoints[rows], people.image_ids[images]

    def load(self, indices: np.ndarray, draws: np.ndarray):
        """Returns a tf.data.Dataset of the samples, in the order given (see `training.fit`).

        Each is {"candidates", "boxes"}, {"keypoints", "boxes", "image_id"} and no weights.
        """
        import tensorflow as tf

        num_keypoints = self.people.skeleton.num_keypoints
        shapes = (None, None, num_keypoints, 3), (None, 4), (None, num_keypoints, 3), (None,)

        def load_chunk(indices, draws):
            kinds = (tf.float32, tf.float32, tf.float32, tf.int64)
            found = tf.numpy_function(self.arrays, [indices, draws], kinds)
            for tensor, shape in zip(found, shapes, strict=True):
                tensor.set_shape(shape)
            candidates, boxes, keypoints, image_ids = found
            targets = {"keypoints": keypoints, "boxes": boxes, "image_id": image_ids}
            return {"candidates": candidates, "boxes": boxes}, targets, {}

        data = tf.data.Dataset.from_tensor_slices((indices, draws)).batch(CHUNK)
        return data.map(load_chunk, num_parallel_calls=2, deterministic=True).unbatch()

    @functools.cached_property
    def _images(self) -> np.ndarray:
        return self.people.images

    @functools.cached_property
    def _limit(self) -> int:
        """Most people in an image."""
        return int(np.diff(self.people.first).max())

    def _augmented(self, candidates, boxes, draws) -> np.ndarray:
        if not self.jitter and not self.false_peaks and not self.missing_peaks:
            return candidates
        count, limit, num_keypoints, _ = candidates.shape
        generators = [np.random.default_rng((self.seed, draw)) for draw in draws.tolist()]
        noise = np.stack([g.normal(size=(limit, num_keypoints, 2)) for g in generators])
        uniform = np.stack([g.random((1, num_keypoints, 3)) for g in generators])
        missed = np.stack([g.random((limit, num_keypoints)) for g in generators])
        corner, extent = (
            part[:, None, None] for part in (boxes[:, :2], boxes[:, 2:] - boxes[:, :2])
        )
        moved = candidates.copy()
        moved[..., :2] += self.jitter * extent * noise
        moved[..., 2] *= missed >= self.missing_peaks
        false = np.zeros((count, 1, num_keypoints, 3), np.float32)
        false[..., :2] = corner + uniform[..., :2] * extent
        false[..., 2] = uniform[..., 2] < self.false_peaks
        return np.concatenate([moved, false], axis=1)


def easiest_first(people: People, rows: np.ndarray) -> np.ndarray:
    """Sorts people by their number of labelled keypoints, most first, then by box area."""
    areas = np.prod(people.boxes[rows, 2:] - people.boxes[rows, :2], axis=1)
    return rows[np.lexsort((-areas, -people.num_labelled[rows]))]
