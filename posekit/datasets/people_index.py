"""Makes the index of a data set from arrays, for files that are not in COCO's form."""

import dataclasses

import numpy as np

from posekit.boxes import box_areas, box_of_keypoints, xyxy_to_cxcywh
from posekit.datasets.coco_columns import inner_name
from posekit.datasets.coco_index import CocoIndex
from posekit.datasets.masks import Segmentations
from posekit.skeletons import Skeleton


@dataclasses.dataclass(frozen=True)
class PlainImages:
    """M images.

    Args:
        ids: (M,) int64, all different.
        names: M names relative to the folder of pictures.
        sizes: (M, 2) int (height, width); zeros where they are not known.
    """

    ids: np.ndarray
    names: tuple[str, ...]
    sizes: np.ndarray


@dataclasses.dataclass(frozen=True)
class PlainPeople:
    """A people, in any order.

    Args:
        image: (A,) int64 rows of their images.
        keypoints: (A, K, 3) x, y, v.
        boxes: (A, 4) xyxy, in no need to lie inside the image.
        is_crowd: (A,) bool.
    """

    image: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    is_crowd: np.ndarray


def index_of_people(
    images: PlainImages, people: PlainPeople, skeleton: Skeleton, clip: bool = True
) -> tuple[CocoIndex, np.ndarray]:
    """Sorts people by image and drops those whose box shows nothing of the image.

    Args:
        images: of the split.
        people: on them.
        skeleton: names of the K keypoints.
        clip: cut boxes at the image, as `CocoIndex` says; without it they stay as they are.

    Returns:
        index: without masks; areas are those of the boxes; annotation ids are places in `people`.
            The report counts `images`, `people` kept, lists ids of `bad_boxes` (not finite, empty
            or outside) and of `clipped_boxes`.
        rows: (a,) int64 the places in `people` of the index's people, for arrays beside it.

    Raises:
        ValueError: a file name that leads out of the folder of pictures.
    """
    names = tuple(map(inner_name, images.names))
    sizes = np.asarray(images.sizes, np.int32).reshape(-1, 2)
    boxes = np.asarray(people.boxes, np.float64).reshape(-1, 4)
    inside = _cut(boxes, sizes[people.image])
    good = np.isfinite(boxes).all(axis=1) & (inside[:, 2:] > inside[:, :2]).all(axis=1)
    moved = good & (np.abs(inside - boxes) > 0.02).any(axis=1) if clip else np.zeros_like(good)
    rows = np.flatnonzero(good)
    rows = rows[np.argsort(people.image[rows], kind="stable")]
    boxes = (inside if clip else boxes)[rows].astype(np.float32)
    report = {
        "images": len(names),
        "people": len(rows),
        "bad_boxes": np.flatnonzero(~good).tolist(),
        "clipped_boxes": np.flatnonzero(moved).tolist(),
    }
    index = CocoIndex(
        image_ids=np.asarray(images.ids, np.int64),
        file_names=names,
        sizes=sizes,
        first=np.searchsorted(people.image[rows], np.arange(len(names) + 1)),
        annotation_ids=rows.astype(np.int64),
        keypoints=np.asarray(people.keypoints, np.float32)[rows],
        boxes=boxes,
        areas=box_areas(boxes),
        is_crowd=np.asarray(people.is_crowd, bool)[rows],
        segmentations=no_masks(len(rows)),
        skeleton=skeleton,
        report=report,
    )
    return index, rows


def _cut(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Cuts (A, 4) boxes at images (A, 2); those of images without size stay as they are."""
    high = sizes[:, [1, 0, 1, 0]]
    known = high > 0
    return np.clip(boxes, np.where(known, 0, -np.inf), np.where(known, high, np.inf))


def no_masks(count: int) -> Segmentations:
    """The masks of people who have none."""
    empty = np.zeros((count, 2), np.int64)
    points, runs = np.zeros((0, 2), np.int32), np.zeros(0, np.int32)
    return Segmentations(points, np.zeros(1, np.int64), empty, runs, empty)


def boxes_round_keypoints(keypoints: np.ndarray) -> np.ndarray:
    """Returns `boxes.box_of_keypoints` with its 15 %, at least the one pixel of a lone keypoint.

    Args:
        keypoints: (A, K, 3) x, y, v.

    Returns:
        (A, 4) float32 xyxy; NaN for a person without keypoints.
    """
    x, y, w, h = np.moveaxis(xyxy_to_cxcywh(box_of_keypoints(keypoints)), -1, 0)
    half_w, half_h = np.maximum(w, 1) / 2, np.maximum(h, 1) / 2
    boxes = np.stack([x - half_w, y - half_h, x + half_w, y + half_h], axis=-1)
    labelled = (keypoints[..., 2] > 0).any(axis=1)
    return np.where(labelled[:, None], boxes, np.nan).astype(np.float32)
