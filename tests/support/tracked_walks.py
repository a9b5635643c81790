"""Runs of `track_video` on people that need no network, and ways to interrupt them."""

import dataclasses
import os
import signal
from pathlib import Path

from script_runs import run_script

from posekit.draw_tracks import TrackDrawer
from posekit.video.reading import open_video
from posekit.video.writing import VideoWriter
from tracking.benchmark_stream import SKELETON, BrightPatches, walk
from tracking.flow import DisFlow
from tracking.pipeline import PoseTracker
from tracking.run.lines import read_tracks
from tracking.run.source import make_header
from tracking.run.video import TrackOptions, track_video
from tracking.settings import TrackerSettings

FRAMES = 60
FORMATS = ("coco", "csv", "mot")
PLAIN = TrackerSettings(queue=4)
DIRECT = TrackerSettings(queue=3, composition="direct", matching="hungarian", shortest=6)


def write_walk(path):
    with VideoWriter(path, 25.0) as writer:
        for image in walk(FRAMES):
            writer.write(image)
    return path


@dataclasses.dataclass(frozen=True)
class Interrupted(BrightPatches):
    """Does something at a frame, such as raising."""

    at: int = -1
    act: object = None

    def detect(self, frame):
        if frame.index == self.at:
            self.act()
        return super().detect(frame)


def crash():
    raise RuntimeError("as if killed")


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def track(source, output, settings=PLAIN, estimator=None, drawn=True, **options):
    video = open_video(source)
    tracker = PoseTracker(estimator or BrightPatches(), settings, DisFlow("ultrafast"))
    header = make_header(video, SKELETON, {"tracker": dataclasses.asdict(settings)})
    options = {"formats": FORMATS, "checkpoint_every": 10} | options
    drawer = TrackDrawer(SKELETON, trail=5) if drawn else None
    return track_video(video, tracker, header, TrackOptions(Path(output), **options), drawer)


def frames_of(path):
    return [frame.image for frame in open_video(path).frames()]


def run_track(monkeypatch, folder, *words, estimator=None):
    """Runs scripts/track.py with an estimator in place of the networks; what it left in folder."""
    found = estimator or BrightPatches()
    monkeypatch.setattr("multiposenet.model.load_multiposenet", lambda path: None)
    monkeypatch.setattr("multiposenet.video_estimator.VideoEstimator", lambda *_: found)
    # The stand-in sees somebody in any box, also in those to which the flow moved one.
    quick = "--flow-preset", "ultrafast", "--tracker.no-propagation"
    return run_script("track", "--output", folder, *quick, *words)


def lines_of(folder):
    """The frames that a run wrote; read strictly, so they hold no NaN."""
    tracks = read_tracks(folder / "tracks.jsonl")
    frames = list(tracks)
    assert tracks.complete
    return frames
