"""A person detector and a top-down network for a tracker: boxes of a frame, poses in any."""

import numpy as np

from posekit.boxes import box_areas, clip_boxes
from posekit.frames import Frame
from posekit.poses import Poses
from topdown.combination import HeadCombiner
from topdown.crops import crop_people, crop_transforms, to_image
from topdown.photo_prediction import Detect
from topdown.pose_reader import rescore
from topdown.prediction import TopDownPredictor


class VideoEstimator:
    """Finds the people of frames.

    Neither boxes nor poses are dropped here, whatever the network's `Reading` says of thresholds
    and OKS-NMS: the tracker does so, once the boxes of the frame before have joined.

    Args:
        predictor: of the poses.
        detect: of the boxes.
        rescored: scores are box score times mean keypoint score; False: the box's alone.

    `skeleton` is that of the poses; `propagates` says that poses are also found in boxes that are
    not those of `detect`.
    """

    propagates = True

    def __init__(self, predictor: TopDownPredictor, detect: Detect, rescored: bool = True):
        self.predictor = predictor
        self.skeleton = predictor.skeleton
        self._detect = detect
        self._rescored = rescored
        reader = predictor.reader
        self._counted = HeadCombiner(reader.combination, predictor.settings.domains).present

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Finds boxes (N, 4) float32 xyxy in pixels of the frame and scores (N,)."""
        boxes, scores = self._detect([frame.image])[0]
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        kept = box_areas(boxes) > 0
        return boxes[kept], np.asarray(scores, np.float32)[kept]

    def poses(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        """Finds the pose in each box.

        Args:
            frame: any.
            boxes: (N, 4) xyxy in its pixels; nobody is in a box that does not show the frame.
            scores: (N,) of the boxes.

        Returns:
            One pose for each box, in their order, with the box as it was given; `scores` are box
            score times mean keypoint score, as `TopDownPredictor` gives them.
        """
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        keypoints = np.zeros((len(boxes), self.skeleton.num_keypoints, 3), np.float32)
        pose_scores = np.array(scores, np.float32)
        shown = np.flatnonzero(box_areas(clip_boxes(boxes, frame.size)) > 0)
        if len(shown):
            settings, threshold = self.predictor.settings, self.predictor.reading.keypoint_threshold
            transforms = crop_transforms(boxes[shown], settings)
            crops = crop_people([frame.image], [transforms], settings)
            keypoints[shown] = to_image(self.predictor.predict_crops(crops), transforms)
            read = keypoints[shown][:, self._counted]
            if self._rescored:
                pose_scores[shown] = rescore(read, pose_scores[shown], threshold)
        return Poses(keypoints, pose_scores, boxes, self.skeleton)
