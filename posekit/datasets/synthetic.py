"""Draws crowds of people with exact annotations: images, videos with optical flow, COCO files.

The stand-in for real data: it needs no download, is the same for the same seed, and writes the
COCO layout, so that nothing else knows that its people are drawn.
"""

import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posekit.datasets.synthetic_annotation import annotate
from posekit.datasets.synthetic_body import head_box
from posekit.datasets.synthetic_coco import coco_annotations, coco_category
from posekit.datasets.synthetic_crowd import random_crowd, random_ground
from posekit.datasets.synthetic_frame import Scene, draw, optical_flow
from posekit.datasets.synthetic_scene import random_background, random_lens, take_picture
from posekit.skeletons import COCO, Skeleton
from posekit.strict_json import write_json

Seed = int | Sequence[int]
JPEG_QUALITY = 92


def render_image(
    seed: Seed,
    size: tuple[int, int] = (192, 192),
    people: tuple[int, int] = (1, 8),
    skeleton: Skeleton = COCO,
    *,
    crowding: float = 0.45,
    heights: tuple[float, float] = (0.28, 1.1),
    with_masks: bool = False,
) -> dict[str, np.ndarray]:
    """Draws one picture of a crowd.

    Args:
        seed: non-negative; the same seed and arguments give the same bits. A sequence of numbers
            is one seed.
        size: (height, width) in pixels, at least 32.
        people: least and largest number of people; small people far away may be added.
        skeleton: keypoints wanted; those that a drawn body lacks are (0, 0, 0).
        crowding: 0 spreads the people over the image, 1 puts them on a heap.
        heights: least and largest body height as a share of the image height.
        with_masks: whether to add `masks`, (N, H, W) bool: what is seen of each person.

    Returns:
        example: `image` (H, W, 3) uint8 RGB; `image_id` () int64, the seed if that is one number;
        `keypoints` (N, K, 3) float32 x, y and v (2 seen, 1 hidden, 0 outside the image); `boxes`
        (N, 4) float32 xyxy around what is seen, as COCO: from the first column and row of pixels
        to the one after the last; `areas` (N,) float32, pixels seen; `is_crowd` (N,) bool;
        `person_mask`, `ignore_mask` and `unknown_mask` (H, W) bool. People of whom little is seen,
        and small ones far away, have no keypoints (all v = 0); some of the latter are one crowd.

    Raises:
        ValueError: when an argument is out of its range.
    """
    _check(size, people, crowding, heights)
    rng = np.random.default_rng(seed)
    scene = _random_scene(rng, size, people, crowding, heights, moving=False)
    figures = scene.figures(0)
    image, owner = draw(scene, figures, 0)
    example = {
        "image": take_picture(rng, image, scene.lens),
        "image_id": np.int64(seed if isinstance(seed, int | np.integer) else 0),
        **annotate(scene, figures, owner, skeleton, joined=bool(rng.random() < 0.5)),
    }
    return _without(example, "people", *([] if with_masks else ["masks"]))


def render_video(
    seed: Seed,
    num_frames: int,
    size: tuple[int, int] = (192, 192),
    people: tuple[int, int] = (1, 8),
    skeleton: Skeleton = COCO,
    *,
    crowding: float = 0.3,
    heights: tuple[float, float] = (0.28, 0.9),
    with_masks: bool = False,
    step: float = 1.0,
) -> Iterator[dict[str, np.ndarray]]:
    """Draws a video of walking, running and standing people under a panning camera.

    Args:
        seed: as for `render_image`; a video's start does not depend on its length.
        num_frames: at least 1.
        size: as for `render_image`, like all that follow.
        people: as there.
        skeleton: as there.
        crowding: as there.
        heights: as there.
        with_masks: as there.
        step: how much time passes from frame to frame; 3 drops two of three frames.

    Yields:
        The example of `render_image`, with `image_id` the number of the frame, and: `track_ids`
        (N,) int64, the same for a person in all frames; `head_boxes` (N, 4) float32 xyxy of whole
        heads, reaching outside the image where they do; `flow` (H, W, 2) float32 dx, dy in pixels:
        where the surface seen at a pixel is in the next frame, seen there or not. Shadows and
        noise do not move with the flow.

    Raises:
        ValueError: when an argument is out of its range.
    """
    _check(size, people, crowding, heights)
    if num_frames < 1 or not step > 0:
        raise ValueError(f"expected num_frames >= 1 and step > 0, received {num_frames}, {step}")
    scene_rng, noise_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
    scene = _random_scene(scene_rng, size, people, crowding, heights, moving=True)
    dropped = ["people"] if with_masks else ["people", "masks"]
    frames = _frames(scene, num_frames, step, skeleton, noise_rng)
    return (_without(frame, *dropped) for frame in frames)


def _frames(
    scene: Scene, num_frames: int, step: float, skeleton: Skeleton, rng: np.random.Generator
) -> Iterator[dict[str, np.ndarray]]:
    following = scene.figures(0)
    for number in range(num_frames):
        time, later = number * step, (number + 1) * step
        figures, following = following, scene.figures(later)
        image, owner = draw(scene, figures, time)
        cameras = scene.camera(time), scene.camera(later)
        known = annotate(scene, figures, owner, skeleton, joined=False)
        heads = [head_box(figures[person]) for person in known["people"]]
        yield {
            "image": take_picture(rng, image, scene.lens),
            "image_id": np.int64(number),
            **known,
            "track_ids": known["people"],
            "head_boxes": np.array(heads, np.float32).reshape(-1, 4),
            "flow": optical_flow(owner, figures, following, cameras),
        }


def write_coco(
    root: str | Path,
    split: str,
    num_images: int,
    size: tuple[int, int] = (192, 192),
    seed: int = 0,
    people: tuple[int, int] = (1, 8),
    skeleton: Skeleton = COCO,
    *,
    workers: int = 0,
    crowding: float = 0.45,
    heights: tuple[float, float] = (0.28, 1.1),
) -> Path:
    """Writes pictures and annotations that `load_coco` reads.

    The annotation file is removed first and written last, so where it is, the split is whole.
    Picture i of a split depends on the seed, the split's name and i only.

    Args:
        root: folder for `annotations/person_keypoints_{split}.json` and `{split}/`; made if absent.
        split: such as "train"; splits of other names show other people.
        num_images: how many; their ids and file names count from 1.
        size: as for `render_image`.
        seed: of all splits.
        people: as for `render_image`.
        skeleton: as there.
        workers: number of processes to share the work; 0 draws in this one.
        crowding: as there.
        heights: as there.

    Returns:
        The annotation file.

    Raises:
        ValueError: when an argument is out of its range.
        OSError: when the disk is full or the folder cannot be written.
    """
    _check(size, people, crowding, heights)
    root = Path(root)
    annotation_file = root / "annotations" / f"person_keypoints_{split}.json"
    for folder in (annotation_file.parent, root / split):
        folder.mkdir(parents=True, exist_ok=True)
    annotation_file.unlink(missing_ok=True)
    options = {"size": size, "people": people, "skeleton": skeleton}
    options |= {"crowding": crowding, "heights": heights}
    write = partial(_write_image, root / split, (seed, zlib.crc32(split.encode())), options)
    numbers = range(1, num_images + 1)
    if workers:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            written = list(pool.map(write, numbers, chunksize=8))
    else:
        written = list(map(write, numbers))
    people_of_all = [person for people_of_one in written for person in people_of_one]
    shape = {"height": size[0], "width": size[1]}
    content = {
        "info": {"description": "drawn people", "split": split, "seed": seed},
        "images": [{"id": number, "file_name": _file_name(number), **shape} for number in numbers],
        "annotations": [{"id": row, **person} for row, person in enumerate(people_of_all, 1)],
        "categories": [coco_category(skeleton)],
    }
    write_json(annotation_file, content)
    return annotation_file


def _file_name(number: int) -> str:
    return f"{number:012d}.jpg"


def _write_image(
    folder: Path, seeds: tuple[int, int], options: dict[str, Any], number: int
) -> list[dict[str, Any]]:
    """Draws one picture, writes it and returns its annotations, which have no ids yet."""
    example = render_image((*seeds, number), with_masks=True, **options)
    bgr = cv2.cvtColor(example["image"], cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (folder / _file_name(number)).write_bytes(data)
    return coco_annotations(example, number)


def _random_scene(
    rng: np.random.Generator,
    size: tuple[int, int],
    people: tuple[int, int],
    crowding: float,
    heights: tuple[float, float],
    moving: bool,
) -> Scene:
    margin = size[0] // 8 if moving else 0
    ground = random_ground(rng, size)
    canvas = (size[0] + 2 * margin, size[1] + 2 * margin)
    background = random_background(rng, canvas, ground.horizon + margin)
    crowd, things = random_crowd(rng, ground, people, crowding, heights, moving)
    pan = np.column_stack([rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.03, 0.12, 3)])
    return Scene(ground, crowd, things, background, margin, pan, random_lens(rng))


def _without(example: dict[str, np.ndarray], *keys: str) -> dict[str, np.ndarray]:
    return {key: value for key, value in example.items() if key not in keys}


def _check(
    size: tuple[int, int], people: tuple[int, int], crowding: float, heights: tuple[float, float]
) -> None:
    if min(size) < 32:
        raise ValueError(f"expected a size (height, width) of at least 32, received {size}")
    if not 0 <= people[0] <= people[1]:
        raise ValueError(f"expected people as (least, largest), both >= 0, received {people}")
    if not 0 <= crowding <= 1:
        raise ValueError(f"expected crowding in 0..1, received {crowding}")
    if not 0 < heights[0] <= heights[1]:
        raise ValueError(f"expected heights as (least, largest), both > 0, received {heights}")
