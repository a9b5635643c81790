"""Sequences of PoseTrack from a few words: people are (frame, track id, {keypoint: place})."""

from pathlib import Path

import numpy as np

from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.datasets.posetrack_results import PredictedSequence

HEAD = (0, 0, 30, 40)  # diagonal 50, head size 30: keypoints are right up to 15 pixels off


def truth(people, num_frames=None, regions=(), heads=None, **changes):
    """Annotations; places are (x, y)."""
    keypoints, frame, tracks = columns(people)
    count = num_frames or max(frame, default=-1) + 1
    names = tuple(f"images/val/000342_mpii/{i:06}.jpg" for i in range(count))
    fields = {
        "file": Path("000342_mpii.json"),
        "image_ids": np.arange(count) + 100,
        "file_names": names,
        "sizes": np.zeros((count, 2), np.int32),
        "videos": ("000342_mpii",) * count,
        "labelled": np.isin(np.arange(count), frame),
        "ignore_regions": tuple(dict(regions).get(i, ()) for i in range(count)),
        "frame": np.array(frame, np.int64),
        "keypoints": np.where(keypoints == -1, 0, keypoints),
        "track_ids": np.array(tracks, np.int64),
        "head_boxes": np.array(heads or [HEAD] * len(frame), float).reshape(-1, 4),
        "is_crowd": np.zeros(len(frame), bool),
        "listed": keypoints[..., 2].any(axis=1),
    }
    return PoseTrackSequence(**fields | changes)


def prediction(people, num_frames, **changes):
    """Predictions; places are (x, y) with score 1 or (x, y, score); a score of None is missing."""
    keypoints, frame, tracks = columns(people)
    scores = np.full(keypoints.shape[:2], np.nan)
    for row, (_, _, points) in enumerate(people):
        for k, place in points.items():
            score = place[2] if len(place) > 2 else 1
            scores[row, k] = np.nan if score is None else score
    fields = {
        "file": Path("results/000342_mpii.json"),
        "num_frames": num_frames,
        "frame": np.array(frame, np.int64),
        "keypoints": keypoints,
        "scores": scores,
        "track_ids": np.array(tracks, np.int64),
        "listed": keypoints[..., 2].any(axis=1),
    }
    return PredictedSequence(**fields | changes)


def columns(people):
    """Keypoints (N, 15, 3) x, y, v, frames and track ids; a track id of None is -1."""
    keypoints = np.zeros((len(people), 15, 3))
    for row, (_, _, points) in enumerate(people):
        for k, place in points.items():
            keypoints[row, k] = *place[:2], 2
    ids = [-1 if track is None else track for _, track, _ in people]
    return keypoints, [frame for frame, _, _ in people], ids


def walk(seed, num_frames=30, people=6, keypoints=15, noise=0.0):
    """A random true sequence and the people of it predicted with noise: misses, strays, new ids."""
    random = np.random.default_rng(seed)
    start = random.uniform(0, 400, (people, 1, 2)) + random.uniform(-40, 40, (people, 15, 2))
    steps = random.normal(0, 4, (num_frames, people, 1, 2)).cumsum(axis=0)
    places = start[None] + steps
    annotated, predicted = [], []
    for f in range(num_frames):
        ids = (np.arange(people) + (random.random(people) < noise) * 50).tolist()
        for i in random.permutation(people).tolist():
            seen = random.random((2, 15)) >= noise
            moved = places[f, i] + random.normal(0, 12 * noise, (15, 2))
            rows = [k for k in range(keypoints) if seen[0, k]]
            if rows:
                annotated.append((f, i, {k: tuple(places[f, i, k]) for k in rows}))
            rows = [k for k in range(keypoints) if seen[1, k]]
            if rows and random.random() >= noise:
                score = random.random(15)
                points = {k: (*moved[k], score[k]) for k in rows}
                predicted.append((f, ids[i], points))
    return annotated, predicted
