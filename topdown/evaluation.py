"""Keypoint AP of a top-down network on a data set, with boxes from the ground truth or a file."""

from collections.abc import Callable, Iterator

import numpy as np

from posekit.datasets.coco import CocoDataset
from posekit.datasets.read_ahead import example_batches
from posekit.datasets.rejected import RejectedImages
from posekit.detections import Detections
from posekit.metrics.coco import CocoMetric
from posekit.metrics.coco_scores import CocoScores
from posekit.metrics.coco_truth import CocoTruth
from posekit.metrics.dataset_truth import truth_of
from posekit.poses import Poses, to_coco_results
from posekit.skeletons import Skeleton, remap_keypoints

Boxes = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""Image of a data set -> its boxes (N, 4) xyxy and their scores (N,)."""


def truth_boxes(dataset: CocoDataset) -> Boxes:
    """Boxes of the people with labelled keypoints, with a score of 1.

    Reference: Simple Baselines' evaluation with ground-truth boxes (6,352 people of val2017).
    """

    def boxes(image: int) -> tuple[np.ndarray, np.ndarray]:
        people = dataset.annotations(image)
        kept = counted_people(people)
        return people["boxes"][kept], np.ones(kept.sum(), np.float32)

    return boxes


def counted_people(people: dict[str, np.ndarray]) -> np.ndarray:
    """Which of an image's people (N,) count in the keypoint evaluation; see `annotations`."""
    return (people["keypoints"][:, :, 2] > 0).any(axis=1) & ~people["is_crowd"]


def detected_boxes(dataset: CocoDataset, detections: Detections) -> Boxes:
    """Boxes of a detector, by the ids of the images."""
    return lambda image: detections.of_image(int(dataset.image_ids[image]))


class BoxedImages:
    """Reads the images of a data set with their boxes, for `read_ahead.example_batches`.

    Args:
        dataset: of the images.
        boxes: of each.
        rejected: where damaged images are noted; None: in one of its own.
    """

    def __init__(self, dataset: CocoDataset, boxes: Boxes, rejected: RejectedImages | None = None):
        self.dataset = dataset
        self.rejected = rejected or RejectedImages.of(dataset)
        self._boxes = boxes

    def example(self, image: int) -> dict:
        """Returns index, image_id, image, boxes, scores.

        The image is read also where it has no boxes, so that whose boxes they are does not decide
        which images are left out.

        Raises:
            ImageError: the image is damaged.
        """
        boxes, scores = self._boxes(image)
        picture = self.dataset.image(image)
        identity = {"index": image, "image_id": int(self.dataset.image_ids[image])}
        return {**identity, "image": picture, "boxes": boxes, "scores": scores}


def predicted_images(
    predictor, images: BoxedImages, batch_size: int = 16
) -> Iterator[tuple[dict, Poses]]:
    """Yields (example, poses) of every image that can be read, in order.

    Args:
        predictor: with `predict(images, boxes, scores)`, see `prediction.TopDownPredictor`.
        images: to predict.
        batch_size: images read ahead; their people share batches of crops.
    """
    for examples in example_batches(images, len(images.dataset), batch_size):
        columns = ([example[name] for example in examples] for name in ("image", "boxes", "scores"))
        yield from zip(examples, predictor.predict(*columns), strict=True)


def evaluate_keypoints(
    predictor,
    dataset: CocoDataset,
    boxes: Boxes | None = None,
    batch_size: int = 16,
    rejected: RejectedImages | None = None,
) -> CocoScores:
    """Official COCO keypoint numbers of a data set.

    Args:
        predictor: with `skeleton` and `predict`; its keypoints are mapped to the data set's by
            name.
        dataset: all of its images count.
        boxes: of each image; None: the ground truth's.
        batch_size: images read ahead.
        rejected: where images are noted that are damaged, and not evaluated.
    """
    metric = CocoMetric(truth_of(dataset), "keypoints")
    images = BoxedImages(dataset, boxes or truth_boxes(dataset), rejected)
    for example, poses in predicted_images(predictor, images, batch_size):
        update(metric, example["image_id"], poses)
    return metric.result()


def update(metric: CocoMetric, image_id: int, poses: Poses) -> list[dict]:
    """Adds an image's poses to a keypoint metric, by the very numbers that results files have.

    Args:
        metric: of keypoints; poses are mapped to its truth's keypoints by name.
        image_id: of the truth.
        poses: of this image.

    Returns:
        The image's entries of a results file.
    """
    truth: CocoTruth = metric.truth
    poses = as_skeleton(poses, truth.skeleton)
    entries = to_coco_results(poses, image_id)
    entries = [entry | {"category_id": truth.category_id} for entry in entries]
    keypoints = np.array([entry["keypoints"] for entry in entries], np.float64)
    scores = np.array([entry["score"] for entry in entries], np.float64)
    metric.update(image_id, scores, keypoints.reshape(-1, *truth.keypoints.shape[1:]))
    return entries


def as_skeleton(poses: Poses, skeleton: Skeleton) -> Poses:
    """Maps poses to another skeleton by the names of the keypoints."""
    keypoints = remap_keypoints(poses.keypoints, poses.skeleton, skeleton)
    return Poses(keypoints, poses.scores, poses.boxes, skeleton, poses.track_ids)
