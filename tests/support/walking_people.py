"""Annotated sequences and predictions of people whose places alone matter."""

from pathlib import Path

import numpy as np

from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.poses import Poses
from posekit.skeletons import POSETRACK

BODY = np.stack(np.meshgrid([0.0, 10, 20], [0.0, 12, 24, 36, 48]), axis=-1).reshape(15, 2)


def people(xs):
    """(N,) x of their left sides -> keypoints (N, 15, 3), 20 px wide and 48 px high."""
    shift = np.stack([np.asarray(xs, float), np.full(len(xs), 5.0)], axis=-1)
    points = BODY + shift[:, None]
    return np.concatenate([points, np.full((len(xs), 15, 1), 2.0)], axis=-1)


def annotated(frames):
    """Frames, a dict track -> x each -> the sequence."""
    rows = [(f, track, x) for f, there in enumerate(frames) for track, x in there.items()]
    frame, tracks, xs = zip(*rows, strict=True)
    count = len(frames)
    return PoseTrackSequence(
        file=Path("a.json"),
        image_ids=np.arange(count),
        file_names=tuple(f"{i}.jpg" for i in range(count)),
        sizes=np.zeros((count, 2), np.int32),
        videos=("a",) * count,
        labelled=np.ones(count, bool),
        ignore_regions=((),) * count,
        frame=np.array(frame),
        keypoints=people(xs),
        track_ids=np.array(tracks),
        head_boxes=np.tile([0.0, 0, 6, 8], (len(rows), 1)),
        is_crowd=np.zeros(len(rows), bool),
        listed=np.ones(len(rows), bool),
    )


def predicted(frames):
    """Frames, a dict id -> x each -> Poses of each."""
    return [
        Poses(people(list(f.values())), np.ones(len(f)), np.zeros((len(f), 4)), POSETRACK, list(f))
        if f
        else Poses.empty(POSETRACK)
        for f in frames
    ]
