"""Person boxes of images of any size, from a saved SSD."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from posekit.boxes import clip_boxes
from posekit.datasets.coco import CocoDataset
from posekit.datasets.read_ahead import example_batches
from posekit.datasets.rejected import RejectedImages
from posekit.detections import Detections, union
from posekit.model_loading import load_model
from topdown.ssd_augment import draw_window, window_transform
from topdown.ssd_detections import compile_detection
from topdown.ssd_evaluation import boxes_in_image
from topdown.ssd_settings import ssd_settings


class DetectorError(ValueError):
    """A model file that holds no SSD, or images that cannot be used."""

    exit_code = 2


class PersonDetector:
    """Finds people; whole images are stretched to the network's square input, as in SSD.

    Args:
        model_path: .keras file that `train_ssd.train_ssd` wrote.
        batch_size: images through the network at once.

    Raises:
        DetectorError: naming the file and what was expected.
    """

    def __init__(self, model_path: str | Path, batch_size: int = 8):
        path = self.path = Path(model_path)
        if not path.is_file():
            raise DetectorError(
                f"{path} is missing; expected the .keras file of an SSD (scripts/train_ssd.py "
                "makes one)"
            )
        try:
            model = load_model(path)
            self.settings = ssd_settings(model)
        except (ValueError, OSError, TypeError, KeyError) as error:
            raise DetectorError(f"{path}: expected an SSD, received: {error}") from error
        self.batch_size = batch_size
        self._run = compile_detection(model)

    def predict(self, images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Finds the people of images, each of its own size.

        Args:
            images: (H, W, 3) uint8 RGB each.

        Returns:
            For each image: boxes (N, 4) float32 xyxy in its pixels, inside the image and with an
            area, edges as in `posekit.boxes`, best first; scores (N,) float32.

        Raises:
            DetectorError: an image of another kind.
        """
        for number, image in enumerate(images):
            _check(image, number)
        found = []
        for first in range(0, len(images), self.batch_size):
            found += self._predict_batch(images[first : first + self.batch_size])
        return found

    def _predict_batch(self, images: Sequence[np.ndarray]) -> list:
        size = self.settings.size
        transforms = [
            window_transform(np.array([0, 0, *image.shape[1::-1]]), size) for image in images
        ]
        inputs = [
            draw_window(image, transform, size)
            for image, transform in zip(images, transforms, strict=True)
        ]
        outputs = {k: np.asarray(v) for k, v in self._run(np.stack(inputs)).items()}
        found = []
        for row, (image, transform) in enumerate(zip(images, transforms, strict=True)):
            boxes, scores = boxes_in_image(outputs, row, transform)
            boxes = clip_boxes(boxes, image.shape[:2]).astype(np.float32)
            kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
            found.append((boxes[kept], scores[kept]))
        return found


def detect_people(
    predict: Callable[[list[np.ndarray]], list[tuple]], dataset: CocoDataset, batch_size: int = 8
) -> tuple[Detections, RejectedImages]:
    """Finds the people of all images of a data set.

    Args:
        predict: images (H, W, 3) -> boxes (N, 4) xyxy and scores (N,) of each, such as that of
            `PersonDetector`.
        dataset: whose images are read; its annotations are not.
        batch_size: images that are read ahead and searched at once.

    Returns:
        detections: of all images that can be read.
        rejected: the others.
    """
    images = _Images(dataset)
    parts = []
    for examples in example_batches(images, len(dataset), batch_size):
        found = predict([example["image"] for example in examples])
        for example, (boxes, scores) in zip(examples, found, strict=True):
            ids = np.full(len(scores), example["image_id"], np.int64)
            parts.append(Detections(ids, np.reshape(boxes, (-1, 4)), scores))
    return union(parts), images.rejected


class _Images:
    """Pictures of a data set and their ids, without masks, for `example_batches`."""

    def __init__(self, dataset: CocoDataset):
        self._dataset = dataset
        self.rejected = RejectedImages.of(dataset)

    def example(self, i: int) -> dict:
        return {"image_id": self._dataset.image_ids[i], "image": self._dataset.image(i)}


def _check(image: np.ndarray, number: int) -> None:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise DetectorError(
            f"image {number}: expected (H, W, 3) uint8 RGB, received {image.dtype} of shape "
            f"{image.shape}; posekit.images.read_image gives such"
        )
