"""What makes trackers crash or mix people up, through scripts/track.py."""

import dataclasses

import cv2
import numpy as np
import pytest
from encoded_videos import encode
from tracked_walks import lines_of, run_track

from tracking import benchmark_stream
from tracking.benchmark_stream import BrightPatches, patches_at
from tracking.matching import greedy, hungarian
from tracking.run.lines import read_tracks

SIZE = (96, 160)


def ids_of(frames):
    return [set(frame.poses.track_ids.tolist()) for frame in frames]


def test_v3_another_resolution_is_another_shot(tmp_path, monkeypatch):
    large = encode(tmp_path / "a.ts", [patches_at(i) for i in range(12)])
    small = encode(tmp_path / "b.ts", [patches_at(i, size=(64, 128)) for i in range(12)])
    source = tmp_path / "both.ts"
    source.write_bytes(large.read_bytes() + small.read_bytes())
    done = run_track(monkeypatch, tmp_path / "out", source)
    assert done.code == 0, done.err
    frames = lines_of(tmp_path / "out")
    first, second = set().union(*ids_of(frames[:12])), set().union(*ids_of(frames[12:]))
    assert len(frames) == 24 and first and second and not first & second


def test_v3_black_frames_and_frames_without_people(tmp_path, monkeypatch):
    black, empty = np.zeros((*SIZE, 3), np.uint8), np.full((*SIZE, 3), 60, np.uint8)
    images = [patches_at(i) for i in range(10, 15)]
    path = encode(tmp_path / "a.mp4", [black] * 10 + images + [empty] * 100 + images)
    done = run_track(monkeypatch, tmp_path / "out", path)
    assert done.code == 0, done.err
    frames = lines_of(tmp_path / "out")
    counts = [len(frame.poses) for frame in frames]
    assert counts == [0] * 10 + [3] * 5 + [0] * 100 + [3] * 5
    assert not ids_of(frames)[10] & ids_of(frames)[-1]  # too long ago to be the same


@pytest.mark.parametrize(
    ("places", "words", "carried"),
    [
        ((10, 100), ("--tracker.gate", 0), True),
        ((10, 100), (), False),
        ((10, 10), (), True),  # for the one looks like the other
        ((10, 10), ("--tracker.shot-threshold", 3), False),
    ],
)
def test_v3_nobody_is_followed_across_a_cut_when_gating_is_on(
    places, words, carried, tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    images = []
    for place in places:
        blobs = cv2.GaussianBlur(rng.normal(60, 300, (*SIZE, 3)), (0, 0), 6)
        scene = blobs.clip(0, 120).astype(np.uint8)
        scene[20:70, place : place + 14] = 240
        images += [scene] * 8
    path = encode(tmp_path / "a.mp4", images, crf="10")
    done = run_track(monkeypatch, tmp_path / "out", path, *words)
    assert done.code == 0, done.err
    frames = [frame.poses.track_ids.tolist() for frame in lines_of(tmp_path / "out")]
    assert frames == [[0]] * 8 + [[0 if carried else 1]] * 8


@dataclasses.dataclass(frozen=True)
class Crowd(BrightPatches):
    """Finds people in rows of 40; in a frame nobody, or what no sound network finds."""

    rows: int = 30
    fault: str = "nobody"

    def detect(self, frame):
        x, y = np.meshgrid(np.arange(40), np.arange(self.rows))
        corners = 16 * np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)
        boxes, scores = (
            np.concatenate([corners, corners + 12], axis=1),
            np.ones(len(corners), np.float32),
        )
        if frame.index == 3:
            if self.fault == "nobody":
                return boxes[:0], scores[:0]
            {"box": boxes, "score": scores}.get(self.fault, boxes[:0])[5:6] = np.nan
        return boxes, scores

    def poses(self, frame, boxes, scores):
        found = super().poses(frame, boxes, scores)
        if frame.index != 3 or self.fault != "keypoint":
            return found
        keypoints = found.keypoints.copy()
        keypoints[5, 1, 0] = np.inf
        return dataclasses.replace(found, keypoints=keypoints)


@pytest.fixture
def dark(tmp_path):
    return encode(tmp_path / "a.mp4", [np.zeros((480, 640, 3), np.uint8)] * 6)


@pytest.mark.parametrize("matching", ["greedy", "hungarian"])
def test_v4_over_999_people_and_a_frame_without_any(matching, dark, tmp_path, monkeypatch):
    words = dark, "--tracker.matching", matching, "--no-video"
    done = run_track(monkeypatch, tmp_path / "out", *words, estimator=Crowd())
    assert done.code == 0, done.err
    ids = [frame.poses.track_ids.tolist() for frame in lines_of(tmp_path / "out")]
    assert [len(i) for i in ids] == [1200, 1200, 1200, 0, 1200, 1200]
    assert all(sorted(i) == list(range(1200)) for i in ids if i)  # unique, and the same people


@pytest.mark.parametrize("fault", ["box", "score", "keypoint"])
def test_v4_numbers_that_are_not_finite_end_the_run_in_a_line(fault, dark, tmp_path, monkeypatch):
    words = dark, "--tracker.shortest", 1, "--no-video"
    done = run_track(monkeypatch, tmp_path / "out", *words, estimator=Crowd(rows=1, fault=fault))
    assert done.code == 2 and "a diverged network gives such" in done.err
    assert len(done.err.splitlines()) == 1
    found = [len(frame.poses) for frame in read_tracks(tmp_path / "out" / "tracks.jsonl")]
    assert found == [40, 40, 40]
    done = run_track(monkeypatch, tmp_path / "out", *words, "--resume", estimator=Crowd(rows=1))
    assert done.code == 0 and len(lines_of(tmp_path / "out")) == 6


@pytest.mark.parametrize("match", [greedy, hungarian])
def test_v4_costs_that_are_no_numbers(match):
    similarity = np.array([[-np.inf, -np.inf, -np.inf], [0.5, -np.inf, 0.9], [0.4, 0.2, 0.8]])
    rows, columns = match(similarity, 0.1)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) in (
        [(1, 2), (2, 0)],
        [(1, 0), (2, 2)],
    )
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="received NaN or"):
            match(np.where(similarity == 0.9, bad, similarity), 0.1)


@pytest.mark.slow
def test_v5_memory_stays_flat_over_10000_frames_and_a_killed_run_is_whole(tmp_path):
    found = benchmark_stream.measure(tmp_path / "walk", 10_000)
    print(found)
    assert found["megabytes_per_1000_frames"] < 1
    assert found["lines_left"] >= 5000 and found["same_bytes"]
    assert found["frames_of_video"] == 10_000
