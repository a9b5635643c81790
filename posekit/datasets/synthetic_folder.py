"""The COCO folder of synthetic people that recipes use where no data is given."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class SyntheticFolder:
    """What to draw; see `posekit.datasets.synthetic.write_coco`."""

    train: int = 2000
    """Images to train on."""
    val: int = 100
    """Held-out images."""
    people: tuple[int, int] = (1, 8)
    """Least and largest number of people in an image."""
    heights: tuple[float, float] = (0.28, 1.1)
    """Body height as a share of the image height, least and largest."""
    crowding: float = 0.45
    """How close together people stand, 0 to 1."""


def synthetic_folder(folder: SyntheticFolder, parent: Path, side: int, seed: int) -> Path:
    """Draws the train and val splits, unless an earlier call has, and returns the folder.

    Any number of processes may call this at once, each worker of a cluster for itself: one draws,
    the others wait for it. They wait by `flock`, also across machines that share the parent.

    Args:
        folder: what to draw.
        parent: folder of such folders.
        side: height of the images in pixels; they are 4:3.
        seed: of both splits, which show different people.

    Raises:
        OSError: when the disk is full or the parent cannot be written.
    """
    people, heights = ("-".join(map(str, pair)) for pair in (folder.people, folder.heights))
    name = f"{side}px-{folder.train}+{folder.val}-people{people}-heights{heights}"
    root = parent / f"{name}-crowding{folder.crowding}-seed{seed}"
    if not _missing(root, folder):  # so a finished folder may be read-only
        return root
    with alone(parent / f".{root.name}.lock"):
        for split, count in _missing(root, folder).items():
            _draw(root, split, count, folder, side, seed)
    return root


def _missing(root: Path, folder: SyntheticFolder) -> dict[str, int]:
    """Returns split -> number of images to draw; the annotation file is written last."""
    counts = {"train": folder.train, "val": folder.val}
    finished = {s: root / "annotations" / f"person_keypoints_{s}.json" for s in counts}
    return {split: count for split, count in counts.items() if not finished[split].exists()}


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Waits until no other process is inside; a killed one leaves by being killed."""
    import fcntl  # not on Windows, where recipes must import all the same

    lock.parent.mkdir(parents=True, exist_ok=True)
    # The file stays: whoever removed it could part those who wait from those who come.
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _draw(
    root: Path, split: str, count: int, folder: SyntheticFolder, side: int, seed: int
) -> None:
    from posekit.datasets.synthetic import write_coco

    print(f"drawing {count} synthetic images in {root / split}", file=sys.stderr)
    write_coco(
        root,
        split,
        count,
        size=(side, side * 4 // 3),
        seed=seed,
        people=folder.people,
        heights=folder.heights,
        crowding=folder.crowding,
        workers=(os.cpu_count() or 1) if count > 100 else 0,
    )
