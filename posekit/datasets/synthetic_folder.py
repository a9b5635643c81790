"""The COCO folder of synthetic people that recipes use where no data is given."""

import dataclasses
import os
import sys
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

    Args:
        folder: what to draw.
        parent: folder of such folders.
        side: height of the images in pixels; they are 4:3.
        seed: of both splits, which show different people.
    """
    people, heights = ("-".join(map(str, pair)) for pair in (folder.people, folder.heights))
    name = f"{side}px-{folder.train}+{folder.val}-people{people}-heights{heights}"
    root = parent / f"{name}-crowding{folder.crowding}-seed{seed}"
    for split, count in (("train", folder.train), ("val", folder.val)):
        if (root / "annotations" / f"person_keypoints_{split}.json").exists():
            continue
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
    return root
