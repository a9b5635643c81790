"""The people of one or several data sets, one row each: what a top-down network learns from."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from posekit.boxes import box_areas
from posekit.commands import UsageError
from posekit.datasets.coco import CocoDataset
from posekit.skeletons import Skeleton, index_map


@dataclasses.dataclass(frozen=True)
class People:
    """P people with labelled keypoints, of one or several data sets.

    Args:
        datasets: where their images are.
        dataset: (P,) int64 which of the data sets.
        image: (P,) int64 image in it.
        boxes: (P, 4) float32 xyxy, image pixels.
        keypoints: (P, K, 3) float32 x, y, v in image pixels; K of the largest skeleton, the rest
            of a smaller one's row is 0.
        areas: (P,) float32, px².
    """

    datasets: tuple[CocoDataset, ...]
    dataset: np.ndarray
    image: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray
    areas: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    @property
    def groups(self) -> np.ndarray:
        """(P,) int64, the same for the people of one picture."""
        first = np.cumsum([0, *map(len, self.datasets)])
        return first[self.dataset] + self.image

    def select(self, rows: np.ndarray) -> "People":
        """The people at some rows (n,), in that order; rows may come twice."""
        names = ("dataset", "image", "boxes", "keypoints", "areas")
        return dataclasses.replace(self, **{name: getattr(self, name)[rows] for name in names})


def labelled_people(
    datasets: Sequence[CocoDataset], skeletons: Sequence[Skeleton] | None = None
) -> People:
    """Lists the people that have labelled keypoints, a box and an area, crowds left out.

    Args:
        datasets: their images.
        skeletons: keypoints wanted of each data set, mapped by name; None: its own.

    Raises:
        UsageError: nobody is left in one of them.
    """
    skeletons = skeletons or [dataset.skeleton for dataset in datasets]
    width = max(skeleton.num_keypoints for skeleton in skeletons)
    parts = [
        _people_of(dataset, skeleton, width)
        for dataset, skeleton in zip(datasets, skeletons, strict=True)
    ]
    numbers = [np.full(len(part[0]), n) for n, part in enumerate(parts)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return People(tuple(datasets), np.concatenate(numbers), *columns)


def mixed(people: People, shares: Sequence[float], seed: int = 0) -> People:
    """Repeats or leaves out people so that data sets take the wanted shares of an epoch.

    Args:
        people: of several data sets.
        shares: one of each data set, in any unit; none: as they are.
        seed: of the choice where a part of a data set is taken.

    Returns:
        As many people as before; each data set's people equally often, give or take one.
    """
    if not shares:
        return people
    if len(shares) != len(people.datasets) or min(shares) <= 0:
        raise UsageError(
            f"--mix: expected {len(people.datasets)} shares above 0, one per data set, received "
            f"{tuple(shares)}"
        )
    rng = np.random.default_rng(seed)
    counts = np.round(len(people) * np.array(shares) / sum(shares)).astype(int)
    chosen = []
    for number, count in enumerate(counts):
        rows = np.flatnonzero(people.dataset == number)
        whole, rest = divmod(int(count), len(rows))
        chosen += [np.tile(rows, whole), np.sort(rng.permutation(rows)[:rest])]
    return people.select(np.concatenate(chosen))


def _people_of(dataset: CocoDataset, skeleton: Skeleton, width: int) -> tuple[np.ndarray, ...]:
    """Returns image, boxes, keypoints (P, width, 3) and areas of a data set's labelled people."""
    rows, counts = dataset.rows, dataset.num_people
    first = np.repeat(dataset.index.first[rows] - np.cumsum(counts) + counts, counts)
    people = first + np.arange(counts.sum())
    image = np.repeat(np.arange(len(rows)), counts)
    order = index_map(dataset.skeleton, skeleton)
    keypoints = np.where((order >= 0)[:, None], dataset.index.keypoints[people][:, order], 0)
    boxes, areas = dataset.index.boxes[people], dataset.index.areas[people]
    kept = (keypoints[:, :, 2] > 0).any(axis=1) & ~dataset.index.is_crowd[people]
    kept &= (areas > 0) & (box_areas(boxes) > 0)
    if not kept.any():
        raise UsageError(
            f"expected people with labelled keypoints in {dataset.annotation_file}, received none; "
            "choose another split or file"
        )
    keypoints = np.pad(keypoints, ((0, 0), (0, width - keypoints.shape[1]), (0, 0)))
    return image[kept], boxes[kept], keypoints[kept].astype(np.float32), areas[kept]
