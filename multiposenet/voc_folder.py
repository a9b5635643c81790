"""Images and label images of a split of Pascal VOC's segmentation task."""

import re
from pathlib import Path

from posekit.datasets.coco import DatasetError
from posekit.datasets.rejected import RejectedImages
from posekit.images import ImageError, read_image
from posekit.metrics.voc import person_of_labels, read_labels

_TREE = """expected the folder VOC2012 of VOCdevkit:
  {root}/
    ImageSets/Segmentation/{split}.txt   (an image id a line)
    JPEGImages/ID.jpg
    SegmentationClass/ID.png   (absent from VOC's test archive: its server holds these)"""
_ID = re.compile(r"\w[\w.-]*")


class VocFolder:
    """Reads the images of a split with their people, for `read_ahead.example_batches`.

    Args:
        root: VOC folder.
        split: name of the list of images.

    Attributes:
        ids: of all images of the list, in its order.
        rejected: images that `example_batches` could not read.

    Raises:
        DatasetError: other folders, or a list that is none of image ids.
    """

    def __init__(self, root: Path, split: str):
        path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        self._images, self._labels = root / "JPEGImages", root / "SegmentationClass"
        missing = [folder for folder in (self._images, self._labels) if not folder.is_dir()]
        missing += [] if path.is_file() else [path]
        if missing:
            raise DatasetError(
                f"{_TREE.format(root=root, split=split)}\nnot found: {', '.join(map(str, missing))}"
            )
        self.ids = _read_ids(path)
        self.rejected = RejectedImages(len(self.ids))

    def example(self, index: int) -> dict:
        """Reads one image.

        Returns:
            image: (H, W, 3) uint8 RGB.
            person_mask: (H, W) bool.
            unknown_mask: (H, W) bool, where the label is void.

        Raises:
            ImageError: the image or its label image is missing or damaged, or their sizes differ.
        """
        name = self.ids[index]
        image = read_image(self._images / f"{name}.jpg")
        path = self._labels / f"{name}.png"
        labels = read_labels(path)
        if labels.shape != image.shape[:2]:
            height, width = image.shape[:2]
            raise ImageError(
                f"expected labels in the size of {name}.jpg, {height} x {width}, received "
                f"{labels.shape[0]} x {labels.shape[1]}; take both from one VOC archive",
                path,
            )
        person, known = person_of_labels(labels)
        return {"image": image, "person_mask": person, "unknown_mask": ~known}


def _read_ids(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected a list of image ids, received: {error}") from error
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if not name:
            continue
        if not _ID.fullmatch(name) or name in seen:
            again = f", as in line {seen[name]}" if name in seen else ""
            raise DatasetError(
                f"{path}, line {number}: expected one new image id such as 2007_000033, received "
                f"{name[:80]!r}{again}; take the list of ImageSets/Segmentation, not of Main"
            )
        seen[name] = number
    if not seen:
        raise DatasetError(f"{path}: expected at least one image id, received none")
    return list(seen)
