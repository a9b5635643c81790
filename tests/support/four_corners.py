"""People who are rectangles of four keypoints, and flow that is alike everywhere."""

import numpy as np

from posekit.boxes import box_of_keypoints
from posekit.poses import Poses
from posekit.skeletons import Skeleton
from tracking.flow_field import Flow
from tracking.settings import TrackerSettings
from tracking.tracker import Tracker

CORNERS = Skeleton("corners", ("a", "b", "c", "d"), (), (0, 1, 2, 3), (0.1,) * 4)
BODY = np.array([[0, 0, 1], [40, 0, 1], [0, 80, 1], [40, 80, 1]], np.float32)
SIZE = (400, 1000)


def people(*corners):
    """People of 40 x 80 px with their left upper keypoints there."""
    keypoints = np.array([BODY + [*corner, 0] for corner in corners]).reshape(-1, 4, 3)
    return Poses(keypoints, np.ones(len(corners)), box_of_keypoints(keypoints, 0), CORNERS)


def shift(dx, dy=0):
    return Flow(np.tile(np.float32([dx, dy]), (*SIZE, 1)))


def track(frames, flows=None, **changes):
    """Ids of each frame; one flow for all, or one for each but the first."""
    tracker = Tracker(TrackerSettings(**changes))
    flows = [flows] * (len(frames) - 1) if flows is None or isinstance(flows, Flow) else flows
    pairs = zip(frames, [None, *flows], strict=True)
    return [tracker.update(poses, flow).track_ids.tolist() for poses, flow in pairs]
