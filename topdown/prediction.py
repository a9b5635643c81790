"""Images and person boxes in, poses out: crops, network, flip test, decoding, scores, OKS-NMS."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from posekit.model_loading import load_model
from posekit.poses import Poses
from topdown.combination import Combination
from topdown.crops import crop_people, crop_transforms
from topdown.pose_reader import BoxedPoses, PoseReader
from topdown.settings import Reading, Settings, settings_of

PRETRAINED = Path(__file__).parents[1] / "pretrained" / "topdown-mobilenetv2.keras"
"""Small weights that come with the repository."""


class ModelError(ValueError):
    """A model file that cannot be used."""

    exit_code = 2


def load_topdown(path: Path | str = PRETRAINED) -> keras.Model:
    """Reads a network that `scripts/train_topdown.py` wrote: a .keras file, or its run folder.

    Raises:
        ModelError: naming the file and what was expected.
    """
    path = Path(path)
    path = path / "best.keras" if path.is_dir() else path
    if not path.is_file():
        raise ModelError(
            f"{path} is missing; expected a top-down network, a .keras file "
            "(scripts/train_topdown.py makes one)"
        )
    try:
        model = load_model(path)
        settings_of(model)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: expected a top-down network, received: {error}") from error
    return model


class TopDownPredictor:
    """Runs a top-down network on the people of images.

    Args:
        model: with settings, see `topdown.settings`.
        flip: averages the maps of each crop and of its mirror.
        domain: head that is read; None: the first.
        reading: how the maps are read; None: as the model says.
        batch_size: crops that go through the network at once, of however many images.
        combination: of several heads, in place of one; `skeleton` is then the combination's.

    Raises:
        ValueError: no such domain, heads that cannot be combined, or a model without settings.
    """

    def __init__(
        self,
        model: keras.Model,
        flip: bool = False,
        domain: str | None = None,
        reading: Reading | None = None,
        batch_size: int = 64,
        combination: Combination | None = None,
    ):
        self.model = model
        self.settings = settings_of(model)
        self.reader = PoseReader(self.settings, domain, reading, combination)
        self.skeleton = self.reader.skeleton
        self.reading = self.reader.reading
        self.flip = flip
        self.batch_size = batch_size
        self._run = compiled_maps(model, flip, self.reading.shift)

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray],
        scores: Sequence[np.ndarray] | None = None,
    ) -> list[Poses]:
        """Finds the pose in each box and drops doubles.

        Args:
            images: (H, W, 3) uint8 RGB each.
            boxes: (N_i, 4) xyxy of each image, image pixels.
            scores: (N_i,) of the boxes; None: 1.

        Returns:
            Of each image the people that `Reading` keeps, best first, in its own pixels. `boxes`
            are those given; `scores` are box score times mean keypoint score.
        """
        return [found.poses for found in self.predict_boxed(images, boxes, scores)]

    def predict_boxed(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray],
        scores: Sequence[np.ndarray] | None = None,
    ) -> list[BoxedPoses]:
        """As `predict`, with the scores of the people's boxes."""
        boxes = [np.asarray(b, np.float32).reshape(-1, 4) for b in boxes]
        scores = [np.ones(len(b), np.float32) for b in boxes] if scores is None else scores
        kept = [np.asarray(s) >= self.reading.box_threshold for s in scores]
        boxes = [b[k] for b, k in zip(boxes, kept, strict=True)]
        scores = [np.asarray(s, np.float32)[k] for s, k in zip(scores, kept, strict=True)]
        transforms = [crop_transforms(b, self.settings) for b in boxes]
        keypoints = self._predict_people(images, transforms)
        parts = np.split(keypoints, np.cumsum([len(b) for b in boxes])[:-1])
        return list(map(self.reader.people, parts, transforms, boxes, scores))

    def _predict_people(
        self, images: Sequence[np.ndarray], transforms: list[np.ndarray]
    ) -> np.ndarray:
        """One pose for each transform; a few batches of crops at a time, for crops are large."""
        counts = list(map(len, transforms))
        starts, step = np.cumsum([0, *counts])[:-1], 4 * self.batch_size
        found = [self.predict_crops(np.empty((0, *self.settings.size, 3), np.uint8))]
        for first in range(0, sum(counts), step):
            rows = np.clip([first - starts, first + step - starts], 0, counts).T
            parts = [t[a:b] for t, (a, b) in zip(transforms, rows, strict=True)]
            found.append(self.predict_crops(crop_people(images, parts, self.settings)))
        return np.concatenate(found)

    def predict_crops(self, crops: np.ndarray) -> np.ndarray:
        """Finds one pose in each crop.

        Args:
            crops: (N, height, width, 3) uint8 RGB.

        Returns:
            (N, K, 3) float32 x, y in crop pixels, score.
        """
        found = [np.zeros((0, self.skeleton.num_keypoints, 3), np.float32)]
        for first in range(0, len(crops), self.batch_size):
            maps = self._run(crops[first : first + self.batch_size])
            maps = {name: np.asarray(value) for name, value in maps.items()}
            found.append(self.reader.decode(maps))
        return np.concatenate(found)


@functools.lru_cache(maxsize=8)
def compiled_maps(model: keras.Model, flip: bool, shift: bool):
    """Returns the function from crops (N, height, width, 3) uint8 to domain -> heatmaps."""
    settings = settings_of(model)

    @tf.function(input_signature=[tf.TensorSpec((None, *settings.size, 3), tf.uint8)])
    def run(crops):
        return maps_in_graph(model, crops, flip, shift)

    return run


def maps_in_graph(model: keras.Model, crops, flip: bool, shift: bool) -> dict[str, tf.Tensor]:
    """Runs a network inside a TensorFlow graph.

    Args:
        model: with settings.
        crops: (N, height, width, 3) uint8 or float, RGB.
        flip: averages with the maps of the mirrored crops.
        shift: moves those one column to the right, see `heatmaps.average_flipped`.

    Returns:
        domain -> (N, h, w, K) float32, final maps only.
    """
    settings = settings_of(model)
    domains = settings.domains
    maps = _final_maps(model, crops, settings)
    if not flip:
        return maps
    mirrored = _final_maps(model, crops[:, :, ::-1], settings)
    for name, skeleton in domains.items():
        back = tf.gather(mirrored[name][:, :, ::-1], list(skeleton.flip), axis=-1)
        if shift:
            back = tf.concat([back[:, :, :1], back[:, :, :-1]], axis=2)
        maps[name] = (maps[name] + back) * 0.5
    return maps


def _final_maps(model: keras.Model, crops, settings: Settings) -> dict[str, tf.Tensor]:
    """Each head's maps of the crop's own cells.

    A network that halves a side of no multiple of 32 pixels five times and doubles it again gives
    more cells; they lie beyond the right and lower edge, and would move the maps of the flip test.
    """
    height, width = (-(-length // settings.stride) for length in settings.size)
    outputs = model(tf.cast(crops, tf.float32), training=False)
    return {
        name: tf.cast(outputs[name][:, :height, :width], tf.float32) for name in settings.domains
    }


def with_reading(model: keras.Model, **changes) -> Reading:
    """Returns the model's reading with some fields replaced."""
    return dataclasses.replace(settings_of(model).reading, **changes)
