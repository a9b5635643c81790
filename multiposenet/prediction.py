"""Images in, poses out: several scales, flip test, several models (Table 1's ensemble)."""

import dataclasses
import functools
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from multiposenet.model import ModelError, pose_head, predict_in_graph, skeleton_of
from posekit.boxes import box_areas, iou_matrix
from posekit.oks import oks_nms
from posekit.poses import Poses


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What was found in one image.

    Args:
        poses: N people, best box first with one model at one scale, else best pose first; a
            keypoint that was not found has score 0 and lies where the PRN expects it, or at 0, 0
            in a model joined without `fill`. `scores` are those of the poses.
        box_scores: (N,) float32, of the person boxes.
        mask: (H, W) bool, on people.
    """

    poses: Poses
    box_scores: np.ndarray
    mask: np.ndarray


class Predictor:
    """Runs one or several joined models on images.

    Args:
        models: from `model.load_multiposenet`; with several, their poses are pooled.
        flip: also reads the mirrored images (see `model.predict_in_graph`).
        scales: factors on each model's own size; poses of several are pooled.
        oks_threshold: of pooled poses, one that resembles a better one by a greater OKS is dropped;
            see `pool`.
        mask_threshold: least mean mask value on people; None: the first model's own.

    Raises:
        ModelError: no model, or models of different skeletons.
    """

    def __init__(
        self,
        models: keras.Model | Sequence[keras.Model],
        flip: bool = False,
        scales: Sequence[float] = (1.0,),
        oks_threshold: float = 0.7,
        mask_threshold: float | None = None,
    ):
        self.models = [models] if isinstance(models, keras.Model) else list(models)
        if not self.models or not scales or min(scales) <= 0:
            raise ModelError(
                f"expected at least one model and scales above 0, received {len(self.models)} "
                f"models and scales {tuple(scales)}"
            )
        self.skeleton = skeleton_of(self.models[0])
        others = [skeleton_of(model).name for model in self.models]
        if any(skeleton_of(model) != self.skeleton for model in self.models):
            raise ModelError(f"expected models of one skeleton, received {others}")
        settings = pose_head(self.models[0]).settings
        self.flip = flip
        self.scales = tuple(scales)
        self.oks_threshold = oks_threshold
        self.mask_threshold = settings.mask_threshold if mask_threshold is None else mask_threshold
        self._runs = [_compiled(model, s, flip) for model in self.models for s in self.scales]

    def predict(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Finds the people of each image.

        Args:
            images: (H, W, 3) uint8 RGB; sizes may differ. Neighbours of one size share a call.

        Returns:
            One prediction per image, in the image's own pixels.
        """
        found = []
        for group in _of_one_size(images):
            batch = np.stack(group)
            outputs = [
                {name: np.asarray(value) for name, value in run(batch).items()}
                for run in self._runs
            ]
            found += [self._prediction(outputs, row) for row in range(len(batch))]
        return found

    def _prediction(self, outputs: list[dict], row: int) -> Prediction:
        people = [_people(output, row) for output in outputs]
        keypoints, scores, boxes, box_scores = map(np.concatenate, zip(*people, strict=True))
        poses = Poses(keypoints, scores, boxes, self.skeleton)
        if len(outputs) > 1:
            kept = pool(poses, box_scores, self.oks_threshold)
            poses, box_scores = poses.select(kept), box_scores[kept]
        mask = np.mean([output["mask"][row] for output in outputs], axis=0)
        return Prediction(poses, box_scores, mask >= self.mask_threshold)


def pool(
    poses: Poses,
    box_scores: np.ndarray,
    oks_threshold: float,
    iou_threshold: float = 0.7,
    bare_iou_threshold: float = 0.3,
) -> np.ndarray:
    """Drops the doubles among the people that several models or scales found.

    Args:
        poses: N people.
        box_scores: (N,).
        oks_threshold: greatest OKS with a better pose; areas are those of the boxes.
        iou_threshold: greatest overlap with the box of a better pose.
        bare_iou_threshold: greatest overlap of a person without any keypoint with a better box.

    Returns:
        (n,) int64 indices, best pose first, then people without keypoints, best box first.
    """
    areas = box_areas(poses.boxes)
    posed = np.flatnonzero(poses.scores > 0)
    keypoints, scores = poses.keypoints[posed], poses.scores[posed]
    posed = posed[oks_nms(keypoints, scores, areas[posed], poses.skeleton.sigmas, oks_threshold)]
    bare = np.flatnonzero(poses.scores <= 0)
    bare = bare[np.argsort(-box_scores[bare], kind="stable")]
    order = np.concatenate([posed, bare])
    limits = np.repeat([iou_threshold, bare_iou_threshold], [len(posed), len(bare)])
    overlaps = iou_matrix(poses.boxes[order], poses.boxes[order]) > limits
    alive = np.ones(len(order), bool)
    for place in range(len(order)):
        if alive[place]:
            alive[place + 1 :] &= ~overlaps[place, place + 1 :]
    return order[alive]


@functools.lru_cache(maxsize=32)
def _compiled(model: keras.Model, scale: float, flip: bool):
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def run(images):
        return predict_in_graph(model, images, scale, flip)

    return run


def _people(outputs: dict[str, np.ndarray], row: int) -> tuple[np.ndarray, ...]:
    count = outputs["num_poses"][row]
    names = ("keypoints", "scores", "boxes", "box_scores")
    return tuple(outputs[name][row, :count] for name in names)


def _of_one_size(images: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    groups: list[list[np.ndarray]] = []
    for image in images:
        if groups and groups[-1][0].shape == image.shape:
            groups[-1].append(image)
        else:
            groups.append([image])
    return groups
