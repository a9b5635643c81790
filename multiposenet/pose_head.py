"""From the networks' outputs to poses, as one Keras layer: NMS, peaks, PRN, assignment."""

import dataclasses

import keras
import tensorflow as tf

from multiposenet.detections import (
    MAX_BOXES,
    NMS_THRESHOLD,
    SCORE_THRESHOLD,
    boxes_of_anchors,
    suppress,
)
from multiposenet.grouping import group_in_graph
from multiposenet.keypoint_subnet import STRIDE
from posekit.graph_peaks import find_peaks_in_graph
from posekit.skeletons import Skeleton


@dataclasses.dataclass(frozen=True)
class PoseSettings:
    """How an image is read and how poses are made of the networks' outputs."""

    shorter_edge: int = 480
    """Length that the image's shorter edge is scaled to, pixels."""
    canvas: tuple[int, int] = (768, 768)
    """Height and width that the scaled image must fit into; multiples of 32, pixels."""
    box_threshold: float = SCORE_THRESHOLD
    """Least score of a person box."""
    nms: float = NMS_THRESHOLD
    """Greatest overlap (IoU) of two boxes that are both kept."""
    max_people: int = MAX_BOXES
    """Most people in an image."""
    peak_threshold: float = 0.1
    """Least heatmap value of a keypoint."""
    max_peaks: int = 30
    """Most peaks of one keypoint type in an image."""
    rule: str = "clean"
    """How people share the peaks; see `assignment.assign`."""
    box_weight: float = 1.0
    """Exponent of the box's score where people compete for a peak; 0 as in the paper: not used."""
    fill: bool = True
    """Put keypoints that a person did not get where the PRN expects them, with score 0."""
    mask_threshold: float = 0.5
    """Least value of the mask channel on people."""


@keras.saving.register_keras_serializable("multiposenet")
class PoseHead(keras.layers.Layer):
    """Makes boxes and poses of heatmaps, class logits and box deltas (sections 3.2 to 3.4).

    Args:
        prn: the Pose Residual Network; see `prn.prn`.
        skeleton: of its keypoints.
        settings: thresholds and sizes.
    """

    def __init__(self, prn, skeleton: Skeleton, settings: PoseSettings, **options):
        super().__init__(trainable=False, **options)
        self.prn = prn
        self.skeleton = skeleton
        self.settings = settings

    def call(self, maps, mirrored=None):
        """Makes poses.

        Args:
            maps: "heatmaps" (B, h, w, K), "mask" (B, h, w, 1), "class_logits" (B, A, 1) and
                "box_deltas" (B, A, 4) of canvases of 4 h x 4 w pixels.
            mirrored: the same of the canvases mirrored by `mirror_canvases` (flip test).

        Returns:
            boxes (B, N, 4) xyxy, box_scores (B, N), keypoints (B, N, K, 3) x, y, score, scores
            (B, N) of the poses: the mean score of all K keypoints, num_poses (B,) int32, and mask
            (B, h, w, 1); canvas pixels. N is the largest number of people; rows beyond an image's
            own are 0.
        """
        maps = dict(maps)
        found = self.detect(maps, mirrored)
        most = tf.maximum(tf.reduce_max(found["num"]), 0)
        boxes, box_scores = found["boxes"][:, :most], found["scores"][:, :most]
        heatmaps, mask = maps["heatmaps"], maps["mask"]
        if mirrored is not None:
            back = tf.gather(mirrored["heatmaps"][:, :, ::-1], self.skeleton.flip, axis=-1)
            heatmaps = (heatmaps + back) / 2
            mask = (mask + mirrored["mask"][:, :, ::-1]) / 2
        peaks = self.find_peaks(heatmaps)
        keypoints = group_in_graph(
            self.prn,
            peaks,
            boxes,
            found["num"],
            self.settings.rule,
            weights=box_scores**self.settings.box_weight if self.settings.box_weight else None,
            heatmaps=heatmaps,
            fill=self.settings.fill,
        )
        return {
            "boxes": boxes,
            "scores": tf.reduce_mean(keypoints[..., 2], axis=-1),
            "box_scores": box_scores,
            "keypoints": keypoints,
            "num_poses": found["num"],
            "mask": mask,
        }

    def detect(self, maps, mirrored=None) -> dict[str, tf.Tensor]:
        """Finds person boxes; those of the mirrored canvases join before the suppression."""
        size = tf.unstack(STRIDE * tf.shape(maps["heatmaps"])[1:3])
        boxes = boxes_of_anchors(maps["box_deltas"], size)
        scores = tf.sigmoid(maps["class_logits"])
        if mirrored is not None:
            edge = tf.cast(size[1] - STRIDE + 1, tf.float32)
            left, top, right, bottom = tf.unstack(
                boxes_of_anchors(mirrored["box_deltas"], size), axis=-1
            )
            back = tf.stack([edge - right, top, edge - left, bottom], axis=-1)
            boxes = tf.concat([boxes, tf.maximum(back, 0.0)], axis=1)
            scores = tf.concat([scores, tf.sigmoid(mirrored["class_logits"])], axis=1)
        settings = self.settings
        return suppress(boxes, scores, settings.box_threshold, settings.nms, settings.max_people)

    def find_peaks(self, heatmaps) -> tf.Tensor:
        """Finds (B, K, M, 3) peaks x, y, score in canvas pixels."""
        settings = self.settings
        peaks = find_peaks_in_graph(heatmaps, STRIDE, settings.peak_threshold, settings.max_peaks)
        return tf.concat([peaks[..., :2], tf.minimum(peaks[..., 2:], 1.0)], axis=-1)

    def get_config(self):
        """Everything but the weights."""
        own = {
            "prn": keras.saving.serialize_keras_object(self.prn),
            "skeleton": dataclasses.asdict(self.skeleton),
            "settings": dataclasses.asdict(self.settings),
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config):
        """The reverse of `get_config`."""
        config = dict(config)
        config.pop("trainable", None)
        skeleton = {name: _tuples(value) for name, value in config.pop("skeleton").items()}
        settings = {name: _tuples(value) for name, value in config.pop("settings").items()}
        prn = keras.saving.deserialize_keras_object(config.pop("prn"))
        return cls(prn, Skeleton(**skeleton), PoseSettings(**settings), **config)


def mirror_canvases(canvases: tf.Tensor) -> tf.Tensor:
    """Mirrors (B, H, W, 3) left to right so that heatmap cells fall on each other.

    Pixel x comes to W - 4 - x, so cell i to w - 1 - i; the three columns that this frees are black.
    """
    shift = STRIDE - 1
    return tf.pad(canvases[:, :, ::-1][:, :, shift:], [[0, 0], [0, 0], [0, shift], [0, 0]])


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value
