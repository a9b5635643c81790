"""A joined model for a tracker: boxes of a frame, poses in any boxes."""

import functools

import keras
import numpy as np
import tensorflow as tf

from multiposenet.canvas import boxes_on_images, fit_to_canvas, keypoints_on_images
from multiposenet.grouping import group_in_graph
from multiposenet.model import pose_head, reading_size, skeleton_of
from multiposenet.pose_head import mirror_canvases
from posekit.boxes import box_areas, clip_boxes
from posekit.frames import Frame
from posekit.poses import Poses


class VideoEstimator:
    """Finds the people of frames.

    The networks run once for a frame: their peaks are kept, so that poses in boxes which come from
    elsewhere, such as from the frame before, cost one more pass of the small PRN.

    Args:
        model: from `model.load_multiposenet`.
        flip: also reads the mirrored frames.

    `skeleton` is that of the poses; `propagates` says that poses are also found in boxes that are
    not those of `detect`.
    """

    propagates = True

    def __init__(self, model: keras.Model, flip: bool = False):
        self.skeleton = skeleton_of(model)
        self._read, self._group = _compiled_networks(model, flip), _compiled_grouping(model)
        self._frame: Frame | None = None
        self._found: dict[str, tf.Tensor] = {}

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Finds boxes (N, 4) float32 xyxy in pixels of the frame and scores (N,), best first."""
        found = self._networks(frame)
        boxes, scores = found["boxes"].numpy(), found["box_scores"].numpy()
        kept = box_areas(boxes) > 0
        return boxes[kept], scores[kept]

    def poses(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        """Finds the pose in each box.

        Args:
            frame: the one of the last `detect`, or any other.
            boxes: (N, 4) xyxy in its pixels; nobody is in a box that does not show the frame.
            scores: (N,) of the boxes; who has more gets the peaks that several boxes want.

        Returns:
            One pose for each box, in their order, with the box as it was given; `scores` are the
            mean scores of the keypoints, as `prediction.Predictor` gives them.
        """
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        keypoints = np.zeros((len(boxes), self.skeleton.num_keypoints, 3), np.float32)
        inside = clip_boxes(boxes, frame.size).astype(np.float32)
        shown = np.flatnonzero(box_areas(inside) > 0)
        if len(shown):
            found = self._networks(frame)
            weights = np.asarray(scores, np.float32)[shown]
            inputs = found["peaks"], found["heatmaps"], found["factors"]
            keypoints[shown] = self._group(*inputs, inside[shown], weights).numpy()
        return Poses(keypoints, keypoints[..., 2].mean(axis=1), boxes, self.skeleton)

    def _networks(self, frame: Frame) -> dict[str, tf.Tensor]:
        if self._frame is not frame:
            self._found = self._read(frame.image[None])
            self._frame = frame
        return self._found


@functools.lru_cache(maxsize=8)
def _compiled_networks(model: keras.Model, flip: bool):
    """The networks with boxes and peaks, as `PoseHead` puts them together."""
    head, networks = pose_head(model), model.get_layer("networks")
    shorter_edge, canvas = reading_size(head.settings)

    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.uint8)])
    def read(images):
        canvases, factors = fit_to_canvas(images, shorter_edge, canvas)
        maps = networks(canvases, training=False)
        mirrored = networks(mirror_canvases(canvases), training=False) if flip else None
        heatmaps = maps["heatmaps"]
        if flip:
            back = tf.gather(mirrored["heatmaps"][:, :, ::-1], head.skeleton.flip, axis=-1)
            heatmaps = (heatmaps + back) / 2
        found = head.detect(maps, mirrored)
        count = found["num"][0]
        boxes = boxes_on_images(found["boxes"][:, :count], factors, tf.shape(images)[1:3])
        return {
            "boxes": boxes[0],
            "box_scores": found["scores"][0, :count],
            "peaks": head.find_peaks(heatmaps),
            "heatmaps": heatmaps,
            "factors": factors,
        }

    return read


@functools.lru_cache(maxsize=8)
def _compiled_grouping(model: keras.Model):
    """The grouping of peaks in given boxes, as `PoseHead` does it."""
    head = pose_head(model)
    settings = head.settings
    keypoints = head.skeleton.num_keypoints
    shapes = ((1, keypoints, None, 3), (1, None, None, keypoints), (2,), (None, 4), (None,))

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes])
    def group(peaks, heatmaps, factors, boxes, scores):
        weight = settings.box_weight
        grouped = group_in_graph(
            head.prn,
            peaks,
            (boxes * tf.tile(factors[::-1], (2,)))[None],
            tf.shape(boxes)[:1],
            settings.rule,
            weights=scores[None] ** weight if weight else None,
            heatmaps=heatmaps,
            fill=settings.fill,
        )
        return keypoints_on_images(grouped, factors)[0]

    return group
