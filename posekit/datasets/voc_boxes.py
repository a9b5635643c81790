"""Person boxes of Pascal VOC -> a data set as `load_coco` makes, without keypoints."""

import os
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from xml.etree.ElementTree import Element

import numpy as np

from posekit.datasets.coco import CocoDataset, DatasetError
from posekit.datasets.people_index import PlainImages, PlainPeople, index_of_people
from posekit.datasets.safe_xml import read_xml
from posekit.images import MAX_PIXELS
from posekit.skeletons import COCO

_TREE = """expected this tree:
  {root}/
    ImageSets/Main/{split}.txt   (or person_{split}.txt)
    Annotations/ID.xml
    JPEGImages/ID.jpg"""
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def load_voc_boxes(
    root: str | Path | Sequence[str | Path], split: str, only_people: bool = False
) -> CocoDataset:
    """Indexes the persons of one split; reads no picture.

    VOC counts pixels from 1 and its boxes include their last pixel, so a box goes from xmin - 1 to
    xmax. Difficult persons are crowds, which VOC's rules leave out of count. Truncated ones are
    plain persons. Image ids count the images from 1.

    Args:
        root: such as `VOCdevkit/VOC2012`, or several of them, such as VOC2007's and VOC2012's for
            the usual VOC0712.
        split: such as "trainval".
        only_people: leave out images without any person.

    Returns:
        Skeleton COCO, of which no keypoint is labelled. Areas are those of the boxes.

    Raises:
        DatasetError: naming the missing path, or the file, the object and what was expected.
    """
    roots = [Path(root)] if isinstance(root, (str, Path)) else [Path(one) for one in root]
    try:
        listed = [(one, name) for one in roots for name in _listed(one, split)]
        people, sizes = [], []
        for row, (one, name) in enumerate(listed):
            size, boxes = _persons(one / "Annotations" / f"{name}.xml")
            sizes.append(size)
            people += [(row, *box) for box in boxes]
        return _dataset(roots, listed, sizes, np.array(people, np.float64), only_people)
    except (ValueError, OSError) as error:
        raise DatasetError(str(error)) from error


def _dataset(
    roots: list[Path],
    listed: list[tuple[Path, str]],
    sizes: list[tuple[int, int]],
    people: np.ndarray,
    only_people: bool,
) -> CocoDataset:
    folder = roots[0]
    if len(roots) > 1:
        folder = Path(os.path.commonpath([os.path.abspath(root) for root in roots]))
    prefix = {root: Path(os.path.relpath(root, folder)) for root in roots}
    names = tuple((prefix[root] / "JPEGImages" / f"{n}.jpg").as_posix() for root, n in listed)
    people = people.reshape(-1, 6)
    index, _ = index_of_people(
        PlainImages(np.arange(1, len(names) + 1), names, np.array(sizes)),
        PlainPeople(
            image=people[:, 0].astype(np.int64),
            keypoints=np.zeros((len(people), COCO.num_keypoints, 3)),
            boxes=people[:, 1:5],
            is_crowd=people[:, 5] == 1,
        ),
        COCO,
    )
    rows = np.arange(len(names))
    if only_people:
        rows = np.flatnonzero(np.diff(index.first))
    return CocoDataset(index, roots[0] / "Annotations", folder, rows)


def _listed(root: Path, split: str) -> list[str]:
    """The ids of a split; the second column of person_{split}.txt says what the XML says too."""
    lists = [root / "ImageSets" / "Main" / f"{kind}{split}.txt" for kind in ("", "person_")]
    found = [path for path in lists if path.is_file()]
    folders = [root / "Annotations", root / "JPEGImages"]
    missing = [str(path) for path in folders if not path.is_dir()]
    missing += [] if found else [str(lists[0])]
    if missing:
        raise ValueError(f"not found: {', '.join(missing)}; {_TREE.format(root=root, split=split)}")
    try:
        lines = found[0].read_text("utf-8").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{found[0]}: expected a text of one id a line") from None
    names = [line.split()[0] for line in lines if line.strip()]
    # Windows' rules refuse what leads out of the folder on any system.
    plain = [PureWindowsPath(name).name == name and "\0" not in name for name in names]
    wrong = None if all(plain) else names[plain.index(False)]
    if wrong is not None or len(set(names)) != len(names):
        raise ValueError(
            f"{found[0]}: expected plain ids, each once, received "
            + ("one of them repeatedly" if wrong is None else f"{wrong!r:.60}")
        )
    return names


def _persons(file: Path) -> tuple[tuple[int, int], list[tuple[float, ...]]]:
    """Returns (height, width) and x1, y1, x2, y2, difficult of each person."""
    root = read_xml(file)
    try:
        size = tuple(int(_number(root, f"size/{side}", "image")) for side in ("height", "width"))
        if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
            raise ValueError(
                f"image: expected 1 to {MAX_PIXELS} pixels, received {size} (height, width)"
            )
        return size, [_box(item, f"object {i}") for i, item in _objects(root, "person")]
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _objects(root: Element, name: str) -> list[tuple[int, Element]]:
    objects = enumerate(root.findall("object"))
    return [(i, item) for i, item in objects if (item.findtext("name") or "").strip() == name]


def _box(item: Element, where: str) -> tuple[float, ...]:
    x1, y1, x2, y2 = (_number(item, f"bndbox/{corner}", where) for corner in _CORNERS)
    difficult = item.find("difficult") is not None and _number(item, "difficult", where) == 1
    return x1 - 1, y1 - 1, x2, y2, float(difficult)


def _number(element: Element, path: str, where: str) -> float:
    """A number of a child; files of 2012 have a few that are not whole."""
    text = element.findtext(path)
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"{where}: expected a number as {path}, received {text!r:.60}")
    return number
