"""Find the people of photos: boxes, keypoints and a person mask.

python scripts/predict.py PHOTO.jpg FOLDER "FOLDER/**/*.png"      with the weights that come along
python scripts/predict.py FOLDER --model a.keras b.keras --flip --scales 0.75 1 1.25
python scripts/predict.py --topdown PHOTO.jpg --flip              boxes first, then a pose in each

Of a folder, the images in it are taken, not those of its sub-folders. Writes into --output:
NAME.json (boxes, scores, keypoints, mask) and NAME.jpg (a picture of them) of each photo; for the
whole results.json (COCO keypoint results), images.json (which photo has which image id),
rejected.json (photos that cannot be read) and with --as-annotations annotations.json (a COCO
keypoint file, for annotation tools). JSON is in pixels of the file as stored, pictures are upright.
Top-down models find no mask. Exit code 0: done, 3: some photos were skipped, 2: none could be read,
or wrong options.
"""

import dataclasses
import sys
from pathlib import Path

import tyro

from posekit.commands import UsageError, run


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What to predict, and how."""

    photos: tyro.conf.Positional[tuple[str, ...]]
    """Image files, folders, globs in quotes; in front of the options that take several words."""
    model: tuple[Path, ...] = ()
    """Joined models, .keras files or finished runs; several are an ensemble; none: the weights that
    come along. With --topdown one top-down network."""
    topdown: bool = False
    """Find boxes first, then one pose in each."""
    detector: Path | None = None
    """TOPDOWN: a joined MultiPoseNet or an SSD, a .keras file or a finished run; none: the
    MultiPoseNet that comes along."""
    output: Path = Path("predictions")
    """Folder to write into."""
    score: float = 0.2
    """Least pose score of a person in pictures and annotations.json; the other files hold all."""
    flip: bool = False
    """Read mirrored photos as well: slower, better."""
    scales: tuple[float, ...] = (1.0,)
    """Factors on the model's size; several are slower and better."""
    as_annotations: bool = False
    """Also write annotations.json, a COCO keypoint file."""
    batch_size: int = 4
    """Photos that are predicted at once, while as many are read."""


def main() -> int:
    """Reads the command line, predicts and writes; returns the exit code."""
    options = tyro.cli(Prediction, description=__doc__)
    from posekit.photos import predict_files as files  # late: --help answers at once

    files.check_numbers(options.score, options.scales, options.batch_size)
    check(options)
    photos = files.photos_for(options.photos, options.output)
    make = topdown_predictor if options.topdown else joined_predictor
    predictor, models = make(options)
    settings = options.score, options.as_annotations, options.batch_size
    done = files.predict_files(predictor, photos, options.output, models, *settings)
    print(
        f"{done.photos} photos, {done.people} people, {done.clear} of them with a score of at "
        f"least {options.score}: {options.output}"
    )
    if done.skipped:
        print(f"{done.skipped} photos were skipped, see rejected.json", file=sys.stderr)
    return done.exit_code


def check(options: Prediction) -> None:
    """Refuses options that do not belong together."""
    if options.detector and not options.topdown:
        raise UsageError(f"--detector: expected --topdown beside it, received {options.detector}")
    if options.topdown and (options.scales != (1.0,) or len(options.model) > 1):
        raise UsageError("expected one --model and no --scales beside --topdown")


def joined_predictor(options: Prediction) -> tuple:
    """Returns what predicts, and the names of its files."""
    from posekit.model_files import model_file

    paths = [model_file(path, "multiposenet") for path in options.model]  # before TensorFlow
    from multiposenet.model import PRETRAINED, load_multiposenet
    from multiposenet.prediction import Predictor

    paths = paths or [PRETRAINED]
    predictor = Predictor([load_multiposenet(path) for path in paths], options.flip, options.scales)
    return predictor, tuple(path.name for path in paths)


def topdown_predictor(options: Prediction) -> tuple:
    """Returns what predicts, and the names of its files: the detector's and the network's."""
    from posekit.model_files import model_file

    paths = [model_file(path, "topdown") for path in options.model]  # before TensorFlow
    from topdown.photo_prediction import PhotoPredictor
    from topdown.prediction import PRETRAINED, TopDownPredictor, load_topdown

    [path] = paths or [PRETRAINED]
    predictor = TopDownPredictor(load_topdown(path), options.flip)
    boxes = detector(options.detector)
    return PhotoPredictor(predictor, boxes.predict), (boxes.path.name, path.name)


def detector(path: Path | None):
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
