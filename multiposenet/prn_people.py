"""People of many images as arrays, from annotation files alone: what the PRN is trained on."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from multiposenet.prn_inputs import SIZE, label_profiles, own_cells
from posekit.boxes import xywh_to_xyxy
from posekit.metrics.coco_truth import CocoTruth, read_truth
from posekit.npz_files import read_npz
from posekit.skeletons import COCO, Skeleton

Boxes = Literal["all", "no-crowd", "labelled"]


class AnnotationError(ValueError):
    """An annotation file that cannot be used."""

    exit_code = 2


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """The A annotated people of M images, sorted by image.

    Args:
        keypoints: (A, K, 3) float32 x, y, v in image pixels; all 0 for people without.
        boxes: (A, 4) float32 xyxy, of positive width and height.
        is_crowd: (A,) bool.
        image_ids: (M,) int64.
        first: (M + 1,) int64; image i has the people first[i]:first[i + 1].
        skeleton: names of the K keypoints.
        truth: what the official evaluation needs of the same images; None where the file is none of
            COCO's.
    """

    keypoints: np.ndarray
    boxes: np.ndarray
    is_crowd: np.ndarray
    image_ids: np.ndarray
    first: np.ndarray
    skeleton: Skeleton
    truth: CocoTruth | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def images(self) -> np.ndarray:
        """(A,) number of each person's image."""
        return np.repeat(np.arange(len(self.image_ids)), np.diff(self.first))

    @property
    def num_labelled(self) -> np.ndarray:
        """(A,) labelled keypoints of each person."""
        return (self.keypoints[..., 2] > 0).sum(axis=1)

    def candidates(self, images: np.ndarray, most: int | None = None) -> np.ndarray:
        """The keypoints of everybody in some images, as candidates for `prn_inputs.locate`.

        Args:
            images: (N,) numbers of images.
            most: M; None: the largest number of people in one of these images.

        Returns:
            (N, M, K, 3) x, y and score 1 where labelled.
        """
        start, count = self.first[images], np.diff(self.first)[images]
        places = np.arange(count.max(initial=0) if most is None else most)
        there = places < count[:, None]
        found = self.keypoints[np.where(there, start[:, None] + places, 0)]
        found[..., 2] = (found[..., 2] > 0) & there[..., None]
        return found

    def select(self, keep: np.ndarray) -> "People":
        """The people where `keep` (A,) is True; images and truth stay."""
        kept = {name: getattr(self, name)[keep] for name in ("keypoints", "boxes", "is_crowd")}
        first = np.concatenate([[0], np.cumsum(keep)])[self.first]
        return dataclasses.replace(self, first=first, **kept)

    def with_boxes(self, boxes: Boxes) -> "People":
        """Leaves all people, those who are no crowd, or those of them with labelled keypoints."""
        keep = np.ones(len(self), bool) if boxes == "all" else ~self.is_crowd
        return self.select(keep & (self.num_labelled > 0) if boxes == "labelled" else keep)


def load_people(path: Path | str, split: str = "train") -> People:
    """Reads people from annotations; no picture is touched.

    Args:
        path: one of: a COCO keypoint file, `.json` or `.json.gz`; a folder in COCO layout, of
            which `annotations/person_keypoints_{split}.json` is read; an `.npz` with `image_id`
            (A,), `bbox` (A, 4) xywh and `keypoints` (A, 17, 3), all people with keypoints.
        split: of a folder.

    People whose box has no area are left out.

    Raises:
        AnnotationError: naming the file and what was expected.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "annotations" / f"person_keypoints_{split}.json"
    if not path.is_file():
        raise AnnotationError(
            f"{path} is missing; expected a COCO keypoint file (.json, .json.gz), a folder with "
            "annotations/person_keypoints_SPLIT.json, or an .npz of people"
        )
    try:
        people = _from_arrays(path) if path.suffix == ".npz" else people_of(read_truth(path))
    except (ValueError, OSError) as error:
        text = str(error)
        raise AnnotationError(text if str(path) in text else f"{path}: {text}") from error
    if not (people.num_labelled > 0).any():
        raise AnnotationError(f"{path}: expected people with labelled keypoints, received none")
    return people


def people_of(truth: CocoTruth) -> People:
    """Turns a COCO ground truth into people.

    Raises:
        ValueError: its person category names no keypoints.
    """
    if truth.skeleton is None:
        raise ValueError(
            "expected a person category that names its keypoints, received one without"
        )
    people = People(
        keypoints=truth.keypoints.astype(np.float32),
        boxes=xywh_to_xyxy(truth.boxes_xywh).astype(np.float32),
        is_crowd=truth.is_crowd,
        image_ids=truth.image_ids,
        first=truth.first,
        skeleton=truth.skeleton,
        truth=truth,
    )
    return people.select((people.boxes[:, 2:] > people.boxes[:, :2]).all(axis=1))


def prior_maps(people: People, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The mean label map of each keypoint, the prior of the baseline UCR (eq. 2).

    Returns:
        (height, width, K) float32; each map sums to 1 where the keypoint is ever labelled.
    """
    cells, labelled = map(np.asarray, own_cells(people.keypoints, people.boxes, size))
    num_keypoints = labelled.shape[1]
    kinds = np.broadcast_to(np.arange(num_keypoints), labelled.shape)[labelled]
    counts = np.zeros((*size, num_keypoints), np.float64)
    np.add.at(counts, (*cells[labelled].T, kinds), 1.0)
    tall, wide = (label_profiles(side) for side in size)
    summed = np.einsum("ay,abk,bx->yxk", tall, counts, wide)
    return (summed / np.maximum(counts.sum(axis=(0, 1)), 1)).astype(np.float32)


def _from_arrays(path: Path) -> People:
    ids, boxes, keypoints = read_npz(path, ("image_id", "bbox", "keypoints")).values()
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(
            f"expected image_id as a row of whole numbers, received {ids.shape} of {ids.dtype}"
        )
    shapes = (len(ids), 4), (len(ids), COCO.num_keypoints, 3)
    if (boxes.shape, keypoints.shape) != shapes:
        raise ValueError(
            f"expected bbox {shapes[0]} and keypoints {shapes[1]}, received {boxes.shape} and "
            f"{keypoints.shape}"
        )
    boxes, keypoints = boxes.astype(np.float32), keypoints.astype(np.float32)
    good = np.isfinite(boxes).all(axis=1) & np.isfinite(keypoints).all(axis=(1, 2))
    good &= (boxes[:, 2:] > 0).all(axis=1)
    if not good.all():
        raise ValueError(
            "expected finite numbers and boxes of positive size, received other for "
            f"{(~good).sum()} people, the first in row {(~good).argmax()}"
        )
    order = np.argsort(ids, kind="stable")
    image_ids, first = np.unique(ids[order], return_index=True)
    return People(
        keypoints=keypoints[order],
        boxes=xywh_to_xyxy(boxes[order]),
        is_crowd=np.zeros(len(ids), bool),
        image_ids=image_ids.astype(np.int64),
        first=np.append(first, len(ids)).astype(np.int64),
        skeleton=COCO,
    )
