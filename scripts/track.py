"""Track the people of a video: boxes, keypoints and an identity for each of them in every frame.

python scripts/track.py VIDEO.mp4                      with the weights that come along
python scripts/track.py VIDEO.mp4 --topdown --model pose.keras --detector ssd.keras --flip
python scripts/track.py FOLDER_OF_PICTURES --recipe mdpn-tracks --tracker.gate 0.3
python scripts/track.py 0 --frames 500 --flow none     the first camera; Ctrl+C is its end
python scripts/track.py VIDEO.mp4 --resume             goes on with what was killed

Writes into --output: tracks.jsonl (a header, a line per frame, a last line with counts), and from
it posetrack18.json, coco.json, tracks.csv and mot.txt; video.mp4 with a colour for each identity;
report.json (counts, faults of the video, seconds by stage). All is in pixels of the frames; a
keypoint that was not found has score 0. A picture that cannot be read has no line; in
posetrack18.json it is a frame without people. A run that is killed leaves a tracks.jsonl that is
valid up to its last line, and --resume makes of it what the whole run would have made.

Exit code 0: done, 2: wrong options or no video, 3: frames were lost or damaged (named on stderr and
in report.json), 130 and 143: interrupted, go on with --resume.
"""

import dataclasses
import itertools
import json
import sys
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, run
from tracking.recipes import RECIPES
from tracking.settings import TrackerSettings


@dataclasses.dataclass(frozen=True)
class Tracking:
    """What to track, and how."""

    source: tyro.conf.Positional[str]
    """Video file, folder of pictures, or camera: its number, or webcam."""
    recipe: str = ""
    """Row of the papers' tables whose --tracker options become the defaults; --recipe list names
    them. None: those of the library."""
    model: Path | None = None
    """A joined MultiPoseNet, with --topdown a top-down network, a .keras file or a finished run;
    none: the one that comes along."""
    topdown: bool = False
    """Find boxes first, then one pose in each."""
    detector: Path | None = None
    """TOPDOWN: a joined MultiPoseNet or an SSD, a .keras file or a finished run; none: the
    MultiPoseNet that comes along."""
    heads: tuple[str, ...] = ()
    """TOPDOWN: heads of the network that give the keypoints of PoseTrack, the first that has one;
    none: the network's first head with its own keypoints."""
    flip: bool = False
    """Read mirrored pictures as well: slower, better."""
    flow: str = "dis"
    """dis, none, a folder of .flo files, or a .keras file of a flow network."""
    flow_preset: Literal["ultrafast", "fast", "medium"] = "medium"
    """DIS: quality, and time."""
    flow_size: int | None = 480
    """DIS and networks: pixels of the longer side to which larger frames are made smaller before;
    None: never."""
    flow_names: Literal["index", "name"] = "index"
    """FOLDER: 000000.flo is the flow from the first frame; or a.flo that from a.jpg."""
    flow_cache: Path | None = None
    """Folder that keeps the flow for the next run."""
    output: Path = Path("tracks")
    """Folder to write into."""
    formats: tuple[Literal["posetrack18", "posetrack17", "coco", "csv", "mot"], ...] = (
        "posetrack18",
        "coco",
        "csv",
        "mot",
    )
    """Forms to write beside tracks.jsonl. In that of 2017 frames are known by their file names, so
    eval_posetrack.py takes it for any annotated folder of pictures."""
    video: bool = True
    """Write the annotated video."""
    trail: int = 30
    """Frames for which the way of a person stays in the annotated video."""
    rate: float | None = None
    """Frames per second of a folder of pictures."""
    frames: int | None = None
    """Stop after so many frames."""
    checkpoint_every: int = 100
    """Frames between two checkpoints."""
    resume: bool = False
    """Go on with an interrupted run, at its last checkpoint."""
    overwrite: bool = False
    """Replace what an earlier run wrote."""
    json: bool = False
    """Print the report as one JSON object."""
    tracker: TrackerSettings = TrackerSettings()
    """How people are found again."""


def main() -> int:
    """Reads the command line, tracks and prints; returns the exit code."""
    options = tyro.cli(Tracking, description=__doc__, default=defaults(sys.argv[1:]))
    if options.recipe == "list":
        print("\n".join(f"{name:36} {about}" for name, (about, _) in RECIPES.items()))
        return 0
    check(options)
    report = track(options)
    for fault in report.lost[:20]:
        print(f"frame {fault['frame']}: {fault['kind']}: {fault['reason']}", file=sys.stderr)
    if report.lost:
        print(f"{len(report.lost)} faults cost frames or parts of them", file=sys.stderr)
    summary = report.to_text() + f"\n{options.output}"
    print(json.dumps(report.to_json(), allow_nan=False) if options.json else summary)
    return report.exit_code


def defaults(words: list[str]) -> Tracking:
    """Puts the settings of the recipe among the words, so that other words can change them."""
    named = [value for word, value in itertools.pairwise(words) if word == "--recipe"]
    named += [word.partition("=")[2] for word in words if word.startswith("--recipe=")]
    name = named[-1] if named else ""
    if name not in ("", "list", *RECIPES):
        raise UsageError(f"--recipe: expected one of {', '.join(RECIPES)}, received {name!r}")
    source = "" if name == "list" else tyro.MISSING
    settings = RECIPES[name][1].tracker if name in RECIPES else TrackerSettings()
    return Tracking(source, tracker=settings)


def check(options: Tracking) -> None:
    """Refuses options that do not belong together, or are out of their range."""
    for name in ("detector", "heads"):
        if getattr(options, name) and not options.topdown:
            raise UsageError(f"--{name}: expected --topdown beside it")
    if options.resume and options.overwrite:
        raise UsageError("expected --resume or --overwrite, received both")
    for name in ("frames", "checkpoint_every", "trail"):
        least, value = int(name != "trail"), getattr(options, name)
        if value is not None and value < least:
            raise UsageError(f"--{name.replace('_', '-')}: expected at least {least}, got {value}")
    if options.rate is not None and not 0.0001 <= options.rate <= 1000:
        raise UsageError(f"--rate: expected 0.0001 to 1000 per second, received {options.rate}")
    if options.flow_size is not None and options.flow_size < 16:
        raise UsageError(f"--flow-size: expected at least 16, received {options.flow_size}")


def say_what_is_ignored(options: Tracking) -> None:
    """Names options that the source or the kind of flow leaves without effect, on stderr."""
    from tracking.flow_choice import kind_of_flow

    kind, tracker = kind_of_flow(options.flow), options.tracker
    without_flow = {
        "propagation": tracker.propagation,
        "similarity flow (poses are compared as they were)": tracker.similarity == "flow",
        "shot_threshold": tracker.shot_threshold is not None,
    }
    ignored = [name for name, used in without_flow.items() if used and kind == "none"]
    if options.flow_cache and kind in ("none", "folder"):
        ignored.append("--flow-cache")
    if ignored:
        print(f"ignored beside --flow {options.flow}: {', '.join(ignored)}", file=sys.stderr)
    if options.rate is not None and not Path(options.source).is_dir():
        print("ignored beside a video, which has times of its own: --rate", file=sys.stderr)


def track(options: Tracking):
    """Puts the parts together and runs them; returns the report."""
    from posekit.draw_tracks import TrackDrawer  # late: --help answers at once
    from posekit.video.reading import open_video
    from tracking.flow_choice import flow_facts, flow_of
    from tracking.pipeline import PoseTracker
    from tracking.run.resume import check_output
    from tracking.run.source import make_header
    from tracking.run.video import TrackOptions, track_video

    video = open_video(options.source, options.rate)
    check_output(video.path, options.output, options.resume, options.overwrite)
    say_what_is_ignored(options)
    flow_settings = options.flow_preset, options.flow_size, options.flow_names
    flow = flow_of(options.flow, *flow_settings, options.flow_cache)
    facts, networks = flow_facts(options.flow)
    estimator, models = topdown_estimator(options) if options.topdown else estimator_of(options)
    names = ("topdown", "flip", "heads", "flow_preset", "flow_size", "flow_names", "rate")
    settings = {name: getattr(options, name) for name in names}
    settings |= facts | {"heads": list(options.heads)}
    settings["tracker"] = dataclasses.asdict(options.tracker)
    header = make_header(video, estimator.skeleton, settings, (*models, *networks))
    drawer = TrackDrawer(estimator.skeleton, options.trail) if options.video else None
    tracker = PoseTracker(estimator, options.tracker, flow)
    fields = ("output", "formats", "checkpoint_every", "resume", "overwrite")
    run_options = {name: getattr(options, name) for name in fields}
    return track_video(
        video, tracker, header, TrackOptions(**run_options, limit=options.frames), drawer
    )


def estimator_of(options: Tracking) -> tuple:
    """Returns a MultiPoseNet that finds people, and the path of its file."""
    from posekit.model_files import model_file

    path = options.model and model_file(options.model, "multiposenet")  # before TensorFlow
    from multiposenet.model import PRETRAINED, load_multiposenet
    from multiposenet.video_estimator import VideoEstimator

    path = path or PRETRAINED
    return VideoEstimator(load_multiposenet(path), options.flip), (path,)


def topdown_estimator(options: Tracking) -> tuple:
    """Returns a detector and a network that find people, and the paths of their files."""
    from posekit.model_files import model_file

    path = options.model and model_file(options.model, "topdown")  # before TensorFlow
    from topdown.combination import Combination
    from topdown.prediction import PRETRAINED, TopDownPredictor, load_topdown
    from topdown.video_estimator import VideoEstimator

    path = path or PRETRAINED
    heads = Combination("first", options.heads, head="interpolate") if options.heads else None
    predictor = TopDownPredictor(load_topdown(path), options.flip, combination=heads)
    detector = detector_of(options.detector)
    return VideoEstimator(predictor, detector.predict), (detector.path, path)


def detector_of(path: Path | None):
    """Returns a detector of people's boxes, with the `path` of its file."""
    from posekit.model_files import kind_of_model, model_file

    path = path and model_file(path, "multiposenet", "ssd")  # before TensorFlow
    if path and kind_of_model(path) == "ssd":
        from topdown.detector import PersonDetector
    else:
        from multiposenet.detector import PersonDetector
    return PersonDetector(path)


if __name__ == "__main__":
    run(main)
