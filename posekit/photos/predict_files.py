"""Predicts photo files: reads ahead, passes over damaged ones, writes as it goes."""

import contextlib
import dataclasses
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import rich.console
import rich.progress

from posekit.commands import UsageError
from posekit.datasets.read_ahead import example_batches
from posekit.images import ImageError, image_orientation, is_animated, read_image
from posekit.photos.photo_names import Photo, check_output, find_files, photos_of
from posekit.photos.prediction_folder import FILES_OF_THE_WHOLE, PredictionFolder, prediction_folder
from posekit.strict_json import write_json

PIXELS_AT_ONCE = 16_000_000
"""Image pixels of a batch; larger images go through the network in smaller batches."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run did: photos predicted and skipped, people found, people of at least the score."""

    photos: int
    skipped: int
    people: int
    clear: int

    @property
    def exit_code(self) -> int:
        """0 all photos were read, 3 some were, 2 none."""
        if not self.photos:
            return 2
        return 3 if self.skipped else 0


def photos_for(words: Sequence[str], folder: Path) -> list[Photo]:
    """Finds the photos that words name (`photo_names.find_files`) and makes the output folder.

    Raises:
        UsageError: no photos; or a folder that cannot be made or written, or that holds photos.
    """
    photos = photos_of(find_files(words), FILES_OF_THE_WHOLE)
    check_output(folder, photos)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise UsageError(f"--output: expected a folder, received {folder}: {error}") from None
    if not writable:
        raise UsageError(f"--output: expected a folder to write into, {folder} is read-only")
    return photos


def check_numbers(score: float, scales: Sequence[float], batch_size: int) -> None:
    """Refuses options out of their range, before the model is read.

    Raises:
        UsageError: naming the option.
    """
    if not 0 <= score <= 1:
        raise UsageError(f"--score: expected a number from 0 to 1, received {score}")
    if not scales or not all(0 < scale < math.inf for scale in scales):
        raise UsageError(f"--scales: expected factors above 0, received {tuple(scales)}")
    if batch_size < 1:
        raise UsageError(f"--batch-size: expected at least 1, received {batch_size}")


def predict_files(
    predictor,
    photos: Sequence[Photo],
    folder: Path,
    models: tuple[str, ...],
    score: float = 0.2,
    as_annotations: bool = False,
    batch_size: int = 4,
) -> Summary:
    """Predicts photos and writes a folder, see `prediction_folder`.

    A photo that its EXIF tag turns is predicted upright. One that cannot be read is named on
    stderr and in rejected.json with its reason. Memory does not grow with the number of photos.

    Args:
        predictor: with `skeleton`, and `predict(images)` that returns for each image (H, W, 3)
            uint8 RGB what `prediction_files.Found` has.
        photos: at least one.
        folder: to write into; it exists.
        models: names of the model files, for the results.
        score: least score of a person in pictures and annotations.
        as_annotations: also write annotations.json.
        batch_size: photos that are predicted at once, while as many are read.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    reader = PhotoReader(photos)
    opened = prediction_folder(folder, predictor.skeleton, models, score, as_annotations)
    with opened as output, _progress(len(photos)) as show:
        for examples in example_batches(reader, len(photos), batch_size):
            _predict_batch(predictor, examples, photos, output)
            show(examples[-1]["index"] + 1)
    rejected = reader.rejected.entries()
    write_json(folder / "rejected.json", rejected)
    return Summary(output.num_photos, len(rejected), output.num_people, output.num_clear)


def _predict_batch(
    predictor, examples: list[dict], photos: Sequence[Photo], output: PredictionFolder
) -> None:
    for portion in _portions(examples):
        predictions = predictor.predict([example["image"] for example in portion])
        for example, prediction in zip(portion, predictions, strict=True):
            photo = photos[example["index"]]
            output.add(photo, example["image"], example["orientation"], prediction)


def _portions(examples: list[dict]) -> list[list[dict]]:
    """Divides a batch so that its images together keep to `PIXELS_AT_ONCE`, or are alone."""
    portions, room = [], 0
    for example in examples:
        height, width = example["image"].shape[:2]
        if not portions or room < height * width:
            portions.append([])
            room = PIXELS_AT_ONCE
        portions[-1].append(example)
        room -= height * width
    return portions


class PhotoReader:
    """Reads photos upright, for `read_ahead.example_batches`."""

    def __init__(self, photos: Sequence[Photo]):
        self._photos = photos
        self.rejected = RejectedPhotos(photos)

    def example(self, index: int) -> dict:
        """Returns `index`, `image` (H, W, 3) uint8 RGB and `orientation` of a photo.

        Raises:
            ImageError: it cannot be read.
        """
        path = self._photos[index].path
        image = read_image(path, exif=True)
        if is_animated(path):
            print(f"note: of the animation {path} the first frame counts", file=sys.stderr)
        return {"index": index, "image": image, "orientation": image_orientation(path)}


class RejectedPhotos:
    """Collects the photos that cannot be read and names each on stderr."""

    def __init__(self, photos: Sequence[Photo]):
        self._photos = photos
        self._reasons: dict[Path, str] = {}

    def add(self, error: ImageError) -> None:
        """Notes a photo; safe from several threads."""
        print(f"skipped: {error}", file=sys.stderr, flush=True)
        self._reasons[error.path] = error.reason

    def entries(self) -> list[dict[str, str | int]]:
        """Returns {"path", "reason", "count"} of each, in the order of the photos."""
        return [
            {"path": photo.file_name, "reason": self._reasons[photo.path], "count": 1}
            for photo in self._photos
            if photo.path in self._reasons
        ]


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function of the number of photos done; shows a line where stderr is a terminal."""
    console = rich.console.Console(file=sys.stderr)
    columns = (*rich.progress.Progress.get_default_columns(), rich.progress.MofNCompleteColumn())
    hidden = not console.is_terminal
    with rich.progress.Progress(
        *columns, console=console, transient=True, disable=hidden
    ) as progress:
        task = progress.add_task("photos", total=total)
        yield lambda done: progress.update(task, completed=done)
