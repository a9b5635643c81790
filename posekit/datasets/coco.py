"""COCO keypoint data: a folder of annotations and pictures -> example dicts."""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.datasets.coco_index import CocoIndex, read_index
from posekit.images import ImageError, read_image
from posekit.skeletons import Skeleton

_TREE = """expected this tree:
  {root}/
    annotations/person_keypoints_{split}.json
    {split}/   (the pictures)"""


class DatasetError(ValueError):
    """A data set that cannot be used: a path that is missing, or an annotation file with faults."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class CocoDataset:
    """The pictures of one split with their people; make it with `load_coco`.

    Args:
        index: arrays of the whole annotation file.
        annotation_file: where they come from.
        image_folder: where the pictures are.
        rows: (M,) int64 images of the index, in the order of this data set.
    """

    index: CocoIndex
    annotation_file: Path
    image_folder: Path
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def skeleton(self) -> Skeleton:
        """Names of the K keypoints."""
        return self.index.skeleton

    @property
    def report(self) -> dict[str, int | list[int]]:
        """What was counted, dropped and clipped on reading, see `load_coco`."""
        return self.index.report

    @property
    def image_ids(self) -> np.ndarray:
        """(M,) int64."""
        return self.index.image_ids[self.rows]

    @property
    def num_people(self) -> np.ndarray:
        """(M,) int64 people per image, crowds and people without keypoints included."""
        return np.diff(self.index.first)[self.rows]

    def subset(self, indices: np.ndarray) -> "CocoDataset":
        """The same data set with only some images, in the given order; shares all arrays.

        Args:
            indices: (m,) integers into this data set, or (M,) bool.
        """
        return dataclasses.replace(self, rows=self.rows[np.asarray(indices)])

    def path(self, i: int) -> Path:
        """The picture file of image i."""
        return self.image_folder / self.index.file_names[self.rows[i]]

    def size(self, i: int) -> tuple[int, int]:
        """The (height, width) that the annotation file states for image i."""
        height, width = self.index.sizes[self.rows[i]]
        return int(height), int(width)

    def annotations(self, i: int) -> dict[str, np.ndarray]:
        """The example of image i without picture and masks.

        Returns:
            `image_id` () int64, `keypoints` (N, K, 3) float32 x, y, v, `boxes` (N, 4) float32
            xyxy, `areas` (N,) float32 square pixels, `is_crowd` (N,) bool.
        """
        people = self._people(i)
        return {
            "image_id": self.index.image_ids[self.rows[i]],
            "keypoints": self.index.keypoints[people].copy(),
            "boxes": self.index.boxes[people].copy(),
            "areas": self.index.areas[people].copy(),
            "is_crowd": self.index.is_crowd[people].copy(),
        }

    def masks(self, i: int) -> dict[str, np.ndarray]:
        """The masks of image i, each (H, W) bool.

        Returns:
            `person_mask`: union of the known masks, crowds included.
            `ignore_mask`: people without keypoints, and crowds: their mask, else their box.
            `unknown_mask`: boxes of people without mask, less the known masks.
        """
        people = self._people(i)
        segmentations = self.index.segmentations
        known = segmentations.known(people)
        labelled = (self.index.keypoints[people, :, 2] > 0).any(axis=1)
        ignored = ~labelled | self.index.is_crowd[people]
        person, ignore, unknown = np.zeros((3, *self.size(i)), np.uint8)
        for row in range(people.stop - people.start):
            if known[row]:
                segmentations.draw(people.start + row, person)
            if known[row] and ignored[row]:
                segmentations.draw(people.start + row, ignore)
        boxes = self.index.boxes[people]
        _fill(unknown, boxes[~known])
        _fill(ignore, boxes[~known & ignored])
        return {
            "person_mask": person.view(bool),
            "ignore_mask": ignore.view(bool),
            "unknown_mask": unknown > person,
        }

    def example(self, i: int) -> dict[str, np.ndarray]:
        """Reads image i.

        Returns:
            `annotations(i)`, `masks(i)` and `image` (H, W, 3) uint8 RGB as stored: its EXIF
            orientation is ignored, since annotations refer to the stored pixels.

        Raises:
            ImageError: the file is missing, damaged, or not of the stated size.
        """
        return {"image": self.image(i), **self.annotations(i), **self.masks(i)}

    def image(self, i: int) -> np.ndarray:
        """Reads the picture of image i alone; (H, W, 3) uint8 RGB, see `example`."""
        image = read_image(self.path(i))
        if image.shape[:2] != self.size(i):
            raise ImageError(
                f"expected {self.size(i)} (height, width) as {self.annotation_file.name} states "
                f"for image id {self.index.image_ids[self.rows[i]]}, received {image.shape[:2]}; "
                "resized or rotated pictures need annotations made for them",
                self.path(i),
            )
        return image

    def _people(self, i: int) -> slice:
        row = self.rows[i]
        return slice(int(self.index.first[row]), int(self.index.first[row + 1]))


def load_coco(
    root: str | Path,
    split: str,
    skeleton: Skeleton | None = None,
    only_people: bool = False,
) -> CocoDataset:
    """Indexes one split of a folder in COCO layout; reads no picture.

    Only annotations of one category count: that named "person"; in a file without such, the only
    one with `keypoints` (a file of hands, say). Its `keypoints` are the file's skeleton, COCO's 17
    where it lists none. Boxes are clipped to their image; a person whose box is empty, negative,
    not finite or outside the image, or whose area is not positive, is dropped. Polygons of fewer
    than three points are left out. `CocoDataset.report` counts `images`, `people` kept and
    annotations of `other_categories`, and lists the annotation ids of `bad_boxes`, `bad_areas`,
    `clipped_boxes` and `short_polygons`.

    Args:
        root: folder with `annotations/person_keypoints_{split}.json` and `{split}/`.
        split: such as "train2017" or "val".
        skeleton: wanted keypoints, mapped from the file's by name; None takes the file's own.
        only_people: leave out images without any person.

    Returns:
        Images in the order of the file. Coordinates as in the file, so box edges and polygons
        count from the outer corner of the top-left pixel, keypoints from its centre.

    Raises:
        DatasetError: naming the missing path and the expected tree, or the file, the image or
            annotation id or the categories, and what was expected.
    """
    root = Path(root)
    annotation_file = root / "annotations" / f"person_keypoints_{split}.json"
    try:
        _check_tree(root, split, annotation_file)
        index = read_index(annotation_file, skeleton)
    except ValueError as error:
        raise DatasetError(str(error)) from error
    rows = np.arange(len(index.image_ids))
    if only_people:
        rows = np.flatnonzero(np.diff(index.first))
    return CocoDataset(index, annotation_file, root / split, rows)


def _check_tree(root: Path, split: str, annotation_file: Path) -> None:
    for path in (root, annotation_file.parent, annotation_file, root / split):
        right = path.is_file() if path == annotation_file else path.is_dir()
        if right:
            continue
        files = sorted((root / "annotations").glob("person_keypoints_*.json"))
        splits = [file.stem.removeprefix("person_keypoints_") for file in files]
        problem = "is not of the right kind" if path.exists() else "is missing"
        found = f"\nannotation files are there for: {', '.join(splits)}" if splits else ""
        raise ValueError(f"{path} {problem}; {_TREE.format(root=root, split=split)}{found}")


def _fill(canvas: np.ndarray, boxes: np.ndarray) -> None:
    """Sets every pixel that a box touches to 1; boxes xyxy, pixel i spans i..i+1."""
    for x1, y1, x2, y2 in np.maximum(boxes, 0):  # MPII's protocol boxes may leave the image
        canvas[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = 1
