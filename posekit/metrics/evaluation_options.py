"""What the evaluations of `scripts/eval_coco.py` are told alike, whatever kind of model it is.

Imports no TensorFlow, so that `--help` answers at once.
"""

import dataclasses
import os
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, check_output


@dataclasses.dataclass(frozen=True)
class CocoEvaluation:
    """Options of the form with a MODEL, of the form with a results file, or of both."""

    models: tyro.conf.Positional[tuple[Path, ...]] = ()
    """.keras files; none: the pretrained MultiPoseNet. The poses of several joined ones are
    pooled."""
    data: Path | None = None
    """COCO folder to run the model on."""
    split: str = "val"
    """MODEL: split of DATA."""
    images: int | None = None
    """MODEL: only the first so many images."""
    batch_size: int = 4
    """MODEL: images that are read ahead and predicted at once."""
    flip: bool = False
    """MODEL: also reads the mirrored images, or crops."""
    bad_images: float = 0.01
    """MODEL: greatest share of damaged images; with more the exit code is 3."""
    write: Path | None = None
    """MODEL: folder to write keypoints.json to, and boxes.json of a joined model: results for the
    other form; and rejected.jsonl, the damaged images."""
    picture: Path | None = None
    """MODEL: PNG of the first images, truth left and prediction right."""
    annotations: Path | None = None
    """RESULTS: COCO ground truth, .json or .json.gz."""
    results: Path | None = None
    """RESULTS: COCO results of keypoints or boxes, .json or .json.gz."""
    kind: Literal["auto", "keypoints", "bbox"] = "auto"
    """RESULTS: what of the results; auto: keypoints where they have them, else boxes."""
    only_predicted: bool = False
    """RESULTS: skip images without results instead of counting their people as missed."""
    drop_unknown: bool = False
    """RESULTS: leave out results on images that the ground truth does not have."""
    json: bool = False
    """Print one JSON object, `stats` in pycocotools' order, instead of the table."""
    curves: Path | None = None
    """PNG to write precision-recall curves to, by size of people; with a MODEL, of keypoints."""

    @property
    def of_model(self) -> bool:
        """True for the form that runs a model."""
        return self.data is not None


_OF_RESULTS = ("annotations", "results", "kind", "only_predicted", "drop_unknown")
_OF_BOTH = ("json", "curves")


def given(options: CocoEvaluation, names) -> list[str]:
    """Which of some options differ from their defaults, as words of the command line."""
    defaults = type(options)()
    changed = (name for name in names if getattr(options, name) != getattr(defaults, name))
    return ["MODEL" if name == "models" else f"--{name.replace('_', '-')}" for name in changed]


def own_names(kind: type[CocoEvaluation]) -> list[str]:
    """The options that an evaluation has beside those of `CocoEvaluation`."""
    shared = {field.name for field in dataclasses.fields(CocoEvaluation)}
    return [field.name for field in dataclasses.fields(kind) if field.name not in shared]


def check_form(options: CocoEvaluation) -> None:
    """Refuses a mixture of the two forms, one that is not whole, and numbers out of their range.

    Raises:
        UsageError: naming the options.
    """
    names = [field.name for field in dataclasses.fields(options)]
    model = given(options, [name for name in names if name not in (*_OF_RESULTS, *_OF_BOTH)])
    results = given(options, _OF_RESULTS)
    if model and results:
        raise UsageError(
            f"expected options of one form, received {', '.join(model)} of the form with a MODEL "
            f"and {', '.join(results)} of the form with --annotations and --results"
        )
    if model and options.data is None:
        raise UsageError(f"expected --data, the COCO folder, beside {', '.join(model)}")
    if not model and None in (options.annotations, options.results):
        raise UsageError(
            "expected MODEL --data FOLDER, or --annotations FILE --results FILE, received "
            f"{', '.join(results) or 'neither'}"
        )
    for name in ("curves", "picture"):
        check_place(name, getattr(options, name))
    if options.write:
        check_folder("--write", options.write)
    check_run(options.images, options.batch_size)
    check_limit(options.bad_images)


def check_limit(bad_images: float) -> None:
    """Refuses a share out of its range.

    Raises:
        UsageError: naming the option.
    """
    if not 0 <= bad_images <= 1:
        raise UsageError(f"--bad-images: expected a share from 0 to 1, received {bad_images}")


def check_run(images: int | None, batch_size: int, scales: tuple[float, ...] = (1.0,)) -> None:
    """Refuses numbers out of their range.

    Raises:
        UsageError: naming the option.
    """
    if images is not None and images < 1:
        raise UsageError(f"--images: expected at least 1, received {images}")
    if batch_size < 1:
        raise UsageError(f"--batch-size: expected at least 1, received {batch_size}")
    if not scales or not all(0 < scale < 100 for scale in scales):
        raise UsageError(f"--scales: expected factors above 0, received {scales}")


def check_place(name: str, path: Path | None) -> None:
    """Refuses a file that cannot be written, if one is wanted.

    Raises:
        UsageError: naming the option `name`.
    """
    if path:
        check_output(f"--{name}", path)


def check_folder(option: str, path: Path) -> None:
    """Refuses a folder that cannot be made beside others, or not be written.

    Raises:
        UsageError: naming the option.
    """
    there = os.path.isdir(path)  # False also for a name that is too long
    if os.path.exists(path) and not there:
        raise UsageError(f"{option}: expected a folder, received the file {path}")
    check_output(option, path / "results.json" if there else path)
