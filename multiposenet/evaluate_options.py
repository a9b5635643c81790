"""What `scripts/eval_coco.py` is told: one of two forms, never a mixture of both."""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What to evaluate, and how to show it.

    Options are of the form with a MODEL, of the form with a results file, or of both.
    """

    models: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Joined models, .keras files; the poses of several are pooled. None: the pretrained one."""
    data: Path | None = None
    """COCO folder to run the model on."""
    split: str = "val"
    """MODEL: split of DATA."""
    images: int | None = None
    """MODEL: only the first so many images."""
    batch_size: int = 4
    """MODEL: images that are read ahead and predicted at once."""
    flip: bool = False
    """MODEL: also reads the mirrored images."""
    scales: tuple[float, ...] = (1.0,)
    """MODEL: factors on the model's own size; the poses of several are pooled."""
    keypoints: Literal["predicted", "truth"] = "predicted"
    """MODEL: whose keypoints are grouped (Table 3, right)."""
    boxes: Literal["predicted", "truth"] = "predicted"
    """MODEL: whose boxes they are grouped into."""
    grouping: Literal["prn", "max", "ucr"] = "prn"
    """MODEL: what groups them: the Pose Residual Network or a baseline."""
    prior: Path | None = None
    """MODEL: prior.npz of a PRN's run, for the grouping ucr."""
    rule: Literal["clean", "likelihood", "published"] | None = None
    """MODEL: how people share the peaks; not given: the model's own rule."""
    write: Path | None = None
    """MODEL: folder to write keypoints.json and boxes.json to, results for the other form."""
    peaks: Path | None = None
    """MODEL: JSON to write the keypoint peaks to, as group.py reads them."""
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

    @property
    def exchanged(self) -> bool:
        """True where the model's parts must be run one by one."""
        names = ("keypoints", "boxes", "grouping", "rule", "peaks")
        return any(_given(self, name) for name in names)


_OF_RESULTS = ("annotations", "results", "kind", "only_predicted", "drop_unknown")
_OF_BOTH = ("json", "curves")
_OF_MODEL = tuple(
    field.name
    for field in dataclasses.fields(Evaluation)
    if field.name not in (*_OF_RESULTS, *_OF_BOTH)
)


def check(options: Evaluation) -> None:
    """Refuses options that do not belong together.

    Raises:
        UsageError: naming them.
    """
    _check_form(options)
    for name in ("curves", "picture", "peaks", "write"):
        check_place(name, getattr(options, name))
    check_run(options.images, options.batch_size, options.scales)
    if (options.grouping == "ucr") != (options.prior is not None):
        raise UsageError(
            "expected --prior prior.npz together with --grouping ucr, received only one of the two"
        )
    plain = len(options.models) <= 1 and not options.flip and options.scales == (1.0,)
    if options.exchanged and not plain:
        raise UsageError(
            "expected one model without --flip and --scales where --keypoints, --boxes, "
            "--grouping, --rule or --peaks is given, received more"
        )


def check_run(images: int | None, batch_size: int, scales: tuple[float, ...]) -> None:
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
    """Refuses a file to write whose folder is not there.

    Raises:
        UsageError: naming the option `name`.
    """
    if path and not path.parent.is_dir():
        raise UsageError(f"--{name}: expected a place in a folder that exists, received {path}")


def _check_form(options: Evaluation) -> None:
    model, results = (
        [_word(name) for name in names if _given(options, name)]
        for names in (_OF_MODEL, _OF_RESULTS)
    )
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


def _given(options: Evaluation, name: str) -> bool:
    return getattr(options, name) != getattr(Evaluation(), name)


def _word(name: str) -> str:
    return "MODEL" if name == "models" else f"--{name.replace('_', '-')}"
