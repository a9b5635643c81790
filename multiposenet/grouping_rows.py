"""Poses with one part exchanged: true boxes, true keypoints or a baseline (Table 3, right).

The joined model makes poses in one graph; here every part is an array on its own, so that the truth
or a baseline can stand in its place. With nothing exchanged the poses are the joined model's; only
a PRN of heatmap crops reads maps drawn at the peaks in place of the network's.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from multiposenet.assignment import (
    Rule,
    assign,
    best_places,
    pose_scores,
    take_keypoints,
    window_scores,
)
from multiposenet.canvas import (
    boxes_on_images,
    fit_to_canvas,
    keypoints_on_images,
    mask_on_images,
)
from multiposenet.model import ModelError, pose_head, reading_size
from multiposenet.prediction import Prediction
from multiposenet.prn import input_kind
from multiposenet.prn_evaluation import Method, floors
from multiposenet.prn_figures import network_of
from multiposenet.prn_inputs import SIZE, InputKind, draw_people, locate
from posekit.poses import Poses

Source = Literal["predicted", "truth"]
Grouping = Literal["prn", "max", "ucr"]
Scorer = Callable[[np.ndarray, np.ndarray], tuple[tf.Tensor, tf.Tensor]]
"""Peaks (M, K, 3) and boxes (N, 4) of one image -> scores and members, both (N, M, K)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """What poses of one image are made of.

    Args:
        peaks: (M, K, 3) x, y, score; 0 where there is none.
        boxes: (N, 4) xyxy.
        box_scores: (N,).
    """

    peaks: np.ndarray
    boxes: np.ndarray
    box_scores: np.ndarray


class RowPredictor:
    """Runs a joined model part by part, at its own scale.

    Args:
        model: from `model.load_multiposenet`.
        keypoints: "predicted" peaks, or the "truth": of everybody in the image, score 1.
        boxes: "predicted", or the "truth": of everybody but crowds, score 1.
        grouping: "prn", or a baseline in its place: "max", "ucr".
        prior: (h, w, K) for "ucr", from `prn_people.prior_maps`.
        rule: of choosing candidates; None: the model's own.

    Raises:
        ModelError: a prior is missing or of another shape.
    """

    def __init__(
        self,
        model: keras.Model,
        keypoints: Source = "predicted",
        boxes: Source = "predicted",
        grouping: Grouping = "prn",
        prior: np.ndarray | None = None,
        rule: Rule | None = None,
    ):
        head = pose_head(model)
        self.skeleton = head.skeleton
        self.settings = head.settings
        self.rule = rule or head.settings.rule
        self._true = {"keypoints": keypoints == "truth", "boxes": boxes == "truth"}
        size, count = head.prn.input_shape[1:3], self.skeleton.num_keypoints
        method = _method(head.prn, grouping, prior, (*size, count))
        kind = input_kind(head.prn) if grouping == "prn" else "peaks"
        self._scorer = scorer_of(method, count, size, kind)
        self._run = _compiled(model)

    def predict(self, examples: list[dict]) -> list[tuple[Prediction, np.ndarray]]:
        """Finds the people of images.

        Args:
            examples: with `image` (H, W, 3) uint8 RGB; where the truth takes part also
                `keypoints`, `boxes` and `is_crowd` of its people.

        Returns:
            For each image the prediction and the peaks (M, K, 3) it was made of, both in image
            pixels.
        """
        return [self._predict(example) for example in examples]

    def _predict(self, example: dict) -> tuple[Prediction, np.ndarray]:
        found = {name: np.asarray(value) for name, value in self._run(example["image"]).items()}
        factors = found["factors"]
        parts = self._parts(found, example, factors)
        weights = parts.box_scores**self.settings.box_weight
        keypoints = group_people(
            self._scorer, parts.peaks, parts.boxes, weights, self.rule, self.settings.fill
        )
        scores = pose_scores(keypoints)
        size = example["image"].shape[:2]
        keypoints, peaks = (
            np.asarray(keypoints_on_images(tf.constant(points[None]), factors))[0]
            for points in (keypoints, parts.peaks)
        )
        boxes = np.asarray(boxes_on_images(tf.constant(parts.boxes[None]), factors, size))[0]
        poses = Poses(keypoints, scores, boxes, self.skeleton)
        mask = found["mask"] >= self.settings.mask_threshold
        solid = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return Prediction(poses.select(solid), parts.box_scores[solid], mask), peaks

    def _parts(self, found: dict, example: dict, factors: np.ndarray) -> Parts:
        """Collects the parts in canvas pixels."""
        peaks = found["peaks"].transpose(1, 0, 2)
        peaks = peaks[(peaks[..., 2] > 0).any(axis=1)]
        boxes, box_scores = found["boxes"][: found["num"]], found["scores"][: found["num"]]
        across = factors[::-1]
        if self._true["keypoints"]:
            truth = example["keypoints"]
            there = truth[..., 2:] > 0
            peaks = np.concatenate([(truth[..., :2] + 0.5) * across - 0.5, there], axis=-1) * there
        if self._true["boxes"]:
            boxes = example["boxes"][~example["is_crowd"]] * np.tile(across, 2)
            box_scores = np.ones(len(boxes))
        return Parts(*(part.astype(np.float32) for part in (peaks, boxes, box_scores)))


def scorer_of(
    method: Method,
    num_keypoints: int,
    size: tuple[int, int] = SIZE,
    kind: InputKind = "peaks",
) -> Scorer:
    """Compiles the scores of all peaks for all people of an image.

    Args:
        method: (N, h, w, K) inputs -> (N, h, w, K) maps: a PRN or one of `prn_evaluation.floors`.
        num_keypoints: K.
        size: (height, width) of the grid.
        kind: of the inputs.
    """

    def score(peaks, boxes):
        cells, member = locate(peaks[None], boxes, size)
        maps = method(draw_people(peaks[None], boxes, size, kind))
        scores = window_scores(maps, cells, member, peaks[None, ..., 2])
        return scores, member, best_places(maps, boxes)

    shapes = (None, num_keypoints, 3), (None, 4)
    return tf.function(score, input_signature=[tf.TensorSpec(shape) for shape in shapes])


def group_people(
    scorer: Scorer,
    peaks: np.ndarray,
    boxes: np.ndarray,
    weights: np.ndarray | float = 1.0,
    rule: Rule = "clean",
    fill: bool = False,
) -> np.ndarray:
    """Groups the peaks of one image into one pose per box.

    Args:
        scorer: from `scorer_of`.
        peaks: (M, K, 3) float32 x, y, score in the pixels of the boxes; score 0 where there is
            none.
        boxes: (N, 4) float32 xyxy; one without area gets no keypoint.
        weights: (N,) factor on each person's scores where people compete for a peak.
        rule: see `assignment.assign`.
        fill: see `grouping.group_in_graph`.

    Returns:
        (N, K, 3) float32 x, y, score; 0 where a person has no keypoint.

    Raises:
        ValueError: the network answers NaN or infinity.
    """
    keypoints = np.zeros((len(boxes), *peaks.shape[1:]), np.float32)
    solid = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    if not solid.any():
        return keypoints
    scores, member, guess = map(np.asarray, scorer(peaks, boxes[solid]))
    if not np.isfinite(scores).all():
        raise ValueError(
            "expected finite maps, received NaN or infinity; a diverged network gives such, use an "
            "earlier checkpoint"
        )
    weights = np.broadcast_to(np.asarray(weights, np.float32), len(boxes))[solid]
    chosen = assign(scores * weights[:, None, None], member, rule)
    found = take_keypoints(peaks, chosen)
    guess = np.pad(guess, [(0, 0), (0, 0), (0, 1)])
    keypoints[solid] = np.where(fill & (chosen < 0)[..., None], guess, found)
    return keypoints


@functools.lru_cache(maxsize=2)
def _compiled(model: keras.Model):
    networks, head = model.get_layer("networks"), pose_head(model)
    shorter_edge, canvas = reading_size(head.settings)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    def run(image):
        canvases, factors = fit_to_canvas(image[None], shorter_edge, canvas)
        maps = networks(canvases, training=False)
        found = head.detect(maps) | {"peaks": head.find_peaks(maps["heatmaps"])}
        mask = mask_on_images(maps["mask"], factors, tf.shape(image)[:2])
        return {name: value[0] for name, value in found.items()} | {
            "mask": mask[0],
            "factors": factors,
        }

    return run


def _method(network: keras.Model, grouping: Grouping, prior, shape: tuple[int, ...]) -> Method:
    if grouping == "prn":
        return network_of(network)
    if grouping == "ucr" and not (np.shape(prior) == shape and np.isfinite(prior).all()):
        raise ModelError(
            f"expected a finite prior of {shape} (height, width, keypoints), received one of "
            f"{np.shape(prior)}; "
            "take prior.npz of the PRN's run"
        )
    return floors(prior)["Max" if grouping == "max" else "UCR"]
