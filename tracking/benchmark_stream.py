"""Long videos through the whole run with a stand-in for the networks: memory, kills, resumption.

python -m tracking.benchmark_stream FOLDER --frames 10000
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tyro

from posekit.draw_tracks import TrackDrawer
from posekit.frames import Frame
from posekit.poses import Poses
from posekit.skeletons import Skeleton
from posekit.video.reading import open_video
from posekit.video.writing import VideoWriter
from tracking.flow import DisFlow
from tracking.pipeline import PoseTracker
from tracking.run.lines import read_tracks
from tracking.run.source import make_header
from tracking.run.video import TrackOptions, track_video
from tracking.settings import TrackerSettings

SKELETON = Skeleton("stick", ("head", "middle", "foot"), ((0, 1), (1, 2)), (0, 1, 2), (0.1,) * 3)


@dataclasses.dataclass(frozen=True)
class BrightPatches:
    """Finds each bright patch of a dark picture as a person: an estimator without a network.

    Args:
        least: pixels of a patch.
    """

    least: int = 30
    skeleton: Skeleton = SKELETON
    propagates: bool = True

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Finds boxes (N, 4) xyxy round the patches, and scores (N,), all 0.9."""
        bright = (frame.image.max(axis=2) > 128).astype(np.uint8)
        found = cv2.connectedComponentsWithStats(bright, connectivity=8)[2][1:]
        x, y, width, height = found[found[:, cv2.CC_STAT_AREA] >= self.least, :4].T
        boxes = np.stack([x, y, x + width, y + height], axis=1).astype(np.float32)
        return boxes, np.full(len(boxes), 0.9, np.float32)

    def poses(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        """Puts head, middle and foot on the middle line of each box."""
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        x = (boxes[:, 0] + boxes[:, 2]) / 2 - 0.5
        heights = boxes[:, 1, None] + (boxes[:, 3] - boxes[:, 1])[:, None] * [0.1, 0.5, 0.9] - 0.5
        keypoints = np.stack(
            [np.repeat(x[:, None], 3, axis=1), heights, np.full_like(heights, 0.9)], axis=-1
        )
        return Poses(keypoints, scores, boxes, self.skeleton)


def patches_at(index: int, people: int = 3, size: tuple[int, int] = (96, 160)) -> np.ndarray:
    """Draws a frame (H, W, 3) uint8 of people who walk, each at a speed, and hide at times.

    Args:
        index: of the frame, from 0.
        people: each in a row of its own.
        size: (height, width) in pixels.
    """
    height, width = size
    image = np.full((*size, 3), 20, np.uint8)
    row = height // people
    for person in range(people):
        if (index + 37 * person) % 113 < 4:  # hidden
            continue
        x = int((5 + 1.5 * person) / 3 * index + 31 * person) % (width - 16)
        top = person * row + row // 8
        image[top : top + 3 * row // 4, x : x + 12] = 250 - 40 * person, 120, 60 * person + 60
    return image


def walk(frames: int, people: int = 3, size: tuple[int, int] = (96, 160)) -> Iterator[np.ndarray]:
    """Yields the frames of `patches_at`."""
    for index in range(frames):
        yield patches_at(index, people, size)


def measure(
    folder: tyro.conf.Positional[Path], frames: int = 10_000, killed_at: float = 0.55
) -> dict:
    """Tracks one video twice, once in one go and once with kill -9 in between.

    Args:
        folder: for the video and both outputs; new.
        frames: of the video.
        killed_at: share of the frames after which the second run is killed.

    Returns:
        Seconds and resident memory of the unbroken run, growth by a line through the samples behind
        its first fifth; lines that the killed run left; whether both are the same in the end.
    """
    folder.mkdir(parents=True)
    source, whole, broken = folder / "walk.mp4", folder / "whole", folder / "broken"
    with VideoWriter(source, 25.0) as writer:
        for image in walk(frames):
            writer.write(image)
    start = time.perf_counter()
    subprocess.run(_command(source, whole), check=True)
    seconds = time.perf_counter() - start
    left = _killed(source, broken, int(killed_at * frames))
    subprocess.run([*_command(source, broken), "--resume"], check=True)
    index, megabytes = np.loadtxt(whole / "memory.txt").T
    late = index > frames / 5
    same = [(d / "tracks.jsonl").read_bytes() for d in (whole, broken)]
    return {
        "frames": frames,
        "seconds": round(seconds, 1),
        "megabytes": [round(float(megabytes[late][i])) for i in (0, -1)],
        "megabytes_per_1000_frames": round(np.polyfit(index[late], megabytes[late], 1)[0] * 1e3, 3),
        "lines_left": left,
        "same_bytes": same[0] == same[1],
        "frames_of_video": sum(1 for _ in open_video(broken / "video.mp4").frames()),
    }


def track_patches(source: Path, output: Path, resume: bool = False) -> None:
    """Tracks a video of `walk` and notes the resident memory once in 100 frames in memory.txt."""
    video, settings = open_video(source), TrackerSettings()
    output.mkdir(exist_ok=True)
    with open(output / "memory.txt", "a") as file:
        estimator = _Measured(file=file)
        tracker = PoseTracker(estimator, settings, DisFlow("ultrafast"))
        header = make_header(video, SKELETON, {"tracker": dataclasses.asdict(settings)})
        options = TrackOptions(output, resume=resume)
        track_video(video, tracker, header, options, TrackDrawer(SKELETON))


@dataclasses.dataclass(frozen=True)
class _Measured(BrightPatches):
    file: object = None

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        if frame.index % 100 == 50:  # not where a checkpoint is
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
            print(frame.index, megabytes, file=self.file, flush=True)
        return super().detect(frame)


def _killed(source: Path, output: Path, frames: int) -> int:
    """Kills a run at about so many frames; returns how many are whole in what it leaves."""
    with subprocess.Popen(_command(source, output)) as process:
        memory = output / "memory.txt"
        while not (memory.exists() and memory.read_text().count("\n") > frames / 100):
            time.sleep(0.001)
        process.kill()
    return sum(1 for _ in read_tracks(output / "tracks.jsonl"))


def _command(source: Path, output: Path) -> list[str]:
    words = "track", "--source", source, "--output", output
    return [sys.executable, "-m", "tracking.benchmark_stream", *map(str, words)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["track"]:
        tyro.cli(track_patches, args=sys.argv[2:])
    else:
        print(json.dumps(tyro.cli(measure)))
