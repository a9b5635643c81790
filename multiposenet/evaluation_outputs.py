"""What an evaluation of a model leaves behind: results files, peaks and a picture."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from multiposenet.peak_files import peaks_entry
from multiposenet.prediction import Prediction
from posekit import draw
from posekit.atomic_files import replaced_file, write_file
from posekit.boxes import xyxy_to_xywh
from posekit.json_lists import JsonList, json_list
from posekit.poses import Poses, to_coco_results
from posekit.skeletons import Skeleton

PICTURES = 4
"""Images in the picture."""
SHOWN = 0.2
"""Least score of a predicted person in the picture."""
_LONG_ENOUGH = 320
"""Smaller images are drawn enlarged, pixels of the shorter edge."""


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


def write_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    """Writes a PNG of pictures (H, W, 3) uint8 RGB, two in a row.

    Raises:
        OSError: it cannot be written.
    """
    sheet = draw.tile(pictures, columns=2)
    write_file(path, cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())


def keypoint_results(poses: Poses, image_id: int, category_id: int) -> list[dict]:
    """COCO results of the people that have a keypoint."""
    entries = to_coco_results(poses.select(poses.scores > 0), image_id)
    return [entry | {"category_id": category_id} for entry in entries]


def box_results(
    boxes: np.ndarray, scores: np.ndarray, image_id: int, category_id: int
) -> list[dict]:
    """COCO results of boxes (N, 4) xyxy with their scores (N,)."""
    # As text a float32 has at most nine digits, and the same number is read back.
    columns = np.column_stack([xyxy_to_xywh(boxes), scores]).astype(np.float32)
    rows = columns.astype(str).astype(np.float64).tolist()
    ids = {"image_id": int(image_id), "category_id": category_id}
    return [ids | {"bbox": row[:4], "score": row[4]} for row in rows]


def draw_pair(example: dict, prediction: Prediction) -> list[np.ndarray]:
    """Draws one image twice: the truth, and the people found with a score of at least `SHOWN`."""
    image, skeleton = example["image"], prediction.poses.skeleton
    labelled = np.where(example["keypoints"][..., 2:] > 0, 1.0, 0.0)
    keypoints = np.concatenate([example["keypoints"][..., :2], labelled], axis=-1)
    truth = Poses(keypoints, np.ones(len(keypoints)), example["boxes"], skeleton)
    found = prediction.poses.select(prediction.poses.scores >= SHOWN)
    pairs = (truth, example["person_mask"]), (found, prediction.mask)
    return [_drawn(image, poses, mask) for poses, mask in pairs]


def _drawn(image: np.ndarray, poses: Poses, mask: np.ndarray) -> np.ndarray:
    zoom = -(-_LONG_ENOUGH // min(image.shape[:2]))
    size = [zoom * edge for edge in image.shape[1::-1]]
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    # Points count from the centre of the first pixel, boxes from its outer corner.
    places = (poses.keypoints[..., :2] + 0.5) * zoom - 0.5
    keypoints = np.concatenate([places, poses.keypoints[..., 2:]], axis=-1)
    poses = Poses(keypoints, poses.scores, poses.boxes * zoom, poses.skeleton)
    return draw.draw_poses(draw.overlay_mask(image, mask.astype(bool)), poses, threshold=0.0)


@contextlib.contextmanager
def _peak_file(path: Path) -> Iterator[JsonList]:
    with replaced_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"images": ')
        items = JsonList(file)
        yield items
        items.end()
        file.write("}")
