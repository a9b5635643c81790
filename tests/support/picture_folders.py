"""Data sets of small pictures of which some are damaged, and tiny networks to run on them."""

from collections.abc import Mapping
from pathlib import Path

from annotation_files import SIZE, coco_person, coco_truth, write_coco
from pictures import (
    encoded,
    half,
    less_two,
    noise,
    overwritten,
    silently_overwritten,
)

GOOD = encoded(noise(SIZE), "JPEG", quality=90)
DAMAGED = {
    3: half(GOOD),
    6: less_two(GOOD),
    7: overwritten(GOOD),
    12: half(encoded(noise(SIZE), "PNG")),
}
"""Number of an image -> what its file holds: four that decoders know to be damaged."""
SILENT = {5: silently_overwritten(GOOD)}
"""One that no decoder can know, since JPEG has no checksum."""


def write_split(root: Path, split: str, count: int, damaged: Mapping[int, bytes]) -> Path:
    """Writes a split of images 1.jpg, 2.jpg, ... with a person each; returns its pictures."""
    truth = coco_truth([coco_person(i, i) for i in range(1, count + 1)], count)
    for image in truth["images"]:
        image["file_name"] = f"{image['id']}.jpg"
    write_coco(root, truth, split)
    for i in range(1, count + 1):
        (root / split / f"{i}.jpg").write_bytes(damaged.get(i, GOOD))
    return root / split


def names(damaged: Mapping[int, bytes] = DAMAGED) -> set[str]:
    """File names of the damaged images."""
    return {f"{i}.jpg" for i in damaged}
