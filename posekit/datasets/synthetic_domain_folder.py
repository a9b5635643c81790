"""The COCO folders of the drawn data sets of `synthetic_domains`."""

import functools
import os
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posekit.datasets.coco import DatasetError
from posekit.datasets.synthetic import render_image, render_video
from posekit.datasets.synthetic_coco import coco_annotations, coco_category
from posekit.datasets.synthetic_domains import DOMAINS, Domain, annotated_keypoints, developed
from posekit.datasets.synthetic_folder import alone
from posekit.skeletons import MDPN_UNION
from posekit.strict_json import write_json

FRAME_STEP = 5
"""Frames of a video from one picture to the next."""


def synthetic_domain(name: str, parent: Path, side: int = 144) -> Path:
    """Draws a data set's train and val splits, unless an earlier call has; returns its folder.

    Any number of processes may call this at once: one draws, the others wait for it.

    Args:
        name: key of `DOMAINS`.
        parent: folder of the data sets' folders.
        side: height of the pictures, pixels.

    Raises:
        DatasetError: no such name.
        OSError: when the disk is full or the parent cannot be written.
    """
    domain, root = _domain(name), Path(parent) / name
    files = {s: root / "annotations" / f"person_keypoints_{s}.json" for s in domain.pictures}
    if all(file.exists() for file in files.values()):  # so a finished folder may be read-only
        return root
    with alone(Path(parent) / f".{name}.lock"):
        for split in (split for split, file in files.items() if not file.exists()):
            count = domain.pictures[split]
            print(f"drawing {count} pictures in {root / split}", file=sys.stderr)
            workers = (os.cpu_count() or 1) if count > 200 else 0
            write_domain(root, name, split, side=side, workers=workers)
    return root


def write_domain(
    root: str | Path,
    name: str,
    split: str,
    pictures: int | None = None,
    *,
    side: int = 144,
    seed: int = 0,
    workers: int = 0,
) -> Path:
    """Draws one split of a data set in COCO layout; the annotation file is written last.

    The same arguments give the same files. Splits of other names show other scenes.

    Args:
        root: folder for `annotations/person_keypoints_{split}.json` and `{split}/`.
        name: key of `DOMAINS`.
        split: "train" or "val"; any other name has the videos of "val".
        pictures: how many; the domain's own number when None.
        side: height of the pictures, pixels; they are 4:3.
        seed: of all splits.
        workers: processes that share the work; 0 draws in this one.

    Returns:
        The annotation file.

    Raises:
        DatasetError: no such name.
        OSError: when the disk is full or the folder cannot be written.
    """
    domain, root = _domain(name), Path(root)
    count = domain.pictures[split] if pictures is None else pictures
    file = root / "annotations" / f"person_keypoints_{split}.json"
    for folder in (file.parent, root / split):
        folder.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    size = side, side * 4 // 3
    seeds = seed, zlib.crc32(f"{name} {split}".encode())
    write = functools.partial(_write_scene, root / split, name, split, seeds, size, count)
    firsts = range(1, count + 1, _frames(domain, split))
    if workers:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            written = list(pool.map(write, firsts, chunksize=4))
    else:
        written = list(map(write, firsts))
    people = [person for scene in written for person in scene]
    shape = {"height": size[0], "width": size[1]}
    content = {
        "info": {"description": f"drawn people, as {name} annotates", "split": split, "seed": seed},
        "images": [{"id": n, "file_name": _file_name(n), **shape} for n in range(1, count + 1)],
        "annotations": [{"id": row, **person} for row, person in enumerate(people, 1)],
        "categories": [coco_category(domain.skeleton)],
    }
    write_json(file, content)
    return file


def _domain(name: str) -> Domain:
    if name not in DOMAINS:
        raise DatasetError(
            f"expected a drawn data set out of {', '.join(DOMAINS)}, received {name!r}; such as "
            "mpii=synthetic:runs/domains"
        )
    return DOMAINS[name]


def _frames(domain: Domain, split: str) -> int:
    return domain.frames.get(split, domain.frames.get("val", 1))


def _file_name(number: int) -> str:
    return f"{number:012d}.jpg"


def _examples(
    domain: Domain, split: str, seeds: tuple[int, ...], size: tuple[int, int], count: int
) -> Iterator[dict[str, np.ndarray]]:
    options = {"size": size, "people": domain.people, "skeleton": MDPN_UNION, "with_masks": True}
    options |= {"crowding": domain.crowding, "heights": domain.heights}
    if _frames(domain, split) == 1:
        return iter([render_image(seeds, **options)])
    frames = render_video(seeds, (count - 1) * FRAME_STEP + 1, **options)
    return (frame for number, frame in enumerate(frames) if number % FRAME_STEP == 0)


def _write_scene(
    folder: Path,
    name: str,
    split: str,
    seeds: tuple[int, int],
    size: tuple[int, int],
    pictures: int,
    first: int,
) -> list[dict[str, Any]]:
    """Draws the pictures of one scene, writes them and returns annotations without ids."""
    domain, people = DOMAINS[name], []
    count = min(_frames(domain, split), pictures - first + 1)
    for number, example in enumerate(_examples(domain, split, (*seeds, first), size, count), first):
        keypoints = annotated_keypoints(example["keypoints"], domain)
        bgr = cv2.cvtColor(developed(example["image"], domain), cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, domain.quality])
        (folder / _file_name(number)).write_bytes(data)
        people += coco_annotations({**example, "keypoints": keypoints}, number)
    return people
