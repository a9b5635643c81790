"""What an evaluation of a model leaves behind: results files, peaks and a picture."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from multiposenet.peak_files import peaks_entry
from multiposenet.prediction import Prediction
from posekit.atomic_files import replaced_file
from posekit.json_lists import JsonList, json_list
from posekit.metrics.evaluation_outputs import (
    PICTURES,
    SHOWN,
    draw_people,
    true_poses,
    write_sheet,
)
from posekit.skeletons import Skeleton


@dataclasses.dataclass
class EvaluationOutputs:
    """Open files of the evaluation, and the first images drawn.

    Args:
        keypoints: list of keypoint results, or None.
        boxes: list of box results, or None.
        peaks: list of peaks, or None.
        pictures: drawn so far: truth, prediction, truth, prediction, ...
        drawing: True where pictures are wanted.
    """

    keypoints: JsonList | None = None
    boxes: JsonList | None = None
    peaks: JsonList | None = None
    drawing: bool = False
    pictures: list[np.ndarray] = dataclasses.field(default_factory=list)

    def add(
        self, example: dict, prediction: Prediction, keypoints: list[dict], boxes: list[dict]
    ) -> None:
        """Adds an image: its results, and its picture if it is among the first."""
        for target, entries in ((self.keypoints, keypoints), (self.boxes, boxes)):
            for entry in entries if target else ():
                target.append(entry)
        if self.drawing and len(self.pictures) < 2 * PICTURES:
            self.pictures += draw_pair(example, prediction)

    def add_peaks(self, image_id: int, peaks: np.ndarray, skeleton: Skeleton) -> None:
        """Adds an image's peaks (M, K, 3) in image pixels, where they are wanted."""
        if self.peaks:
            self.peaks.append(peaks_entry(image_id, peaks, skeleton))


@contextlib.contextmanager
def evaluation_outputs(
    folder: Path | None = None, peaks: Path | None = None, picture: Path | None = None
) -> Iterator[EvaluationOutputs]:
    """Yields what to add to; at the end the files replace older ones, on an error none does.

    Args:
        folder: for keypoints.json and boxes.json; it is made. None: no results files.
        peaks: file of peaks to write, see `peak_files`.
        picture: PNG to write.

    Raises:
        OSError: a file cannot be written.
    """
    with contextlib.ExitStack() as stack:
        outputs = EvaluationOutputs(drawing=picture is not None)
        if folder:
            folder.mkdir(exist_ok=True)
            outputs.keypoints = stack.enter_context(json_list(folder / "keypoints.json"))
            outputs.boxes = stack.enter_context(json_list(folder / "boxes.json"))
        if peaks:
            outputs.peaks = stack.enter_context(_peak_file(peaks))
        yield outputs
        if outputs.pictures:
            write_sheet(picture, outputs.pictures)


def draw_pair(example: dict, prediction: Prediction) -> list[np.ndarray]:
    """Draws one image twice: the truth, and the people found with a score of at least `SHOWN`."""
    image, poses = example["image"], prediction.poses
    truth = true_poses(example["keypoints"], example["boxes"], poses.skeleton)
    found = poses.select(poses.scores >= SHOWN)
    pairs = (truth, example["person_mask"]), (found, prediction.mask)
    return [draw_people(image, people, mask) for people, mask in pairs]


@contextlib.contextmanager
def _peak_file(path: Path) -> Iterator[JsonList]:
    with replaced_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"images": ')
        items = JsonList(file)
        yield items
        items.end()
        file.write("}")
