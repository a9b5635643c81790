"""Drawn videos in PoseTrack's folder layout and form of 2018, with the exact flow beside them."""

import dataclasses
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posekit.boxes import xyxy_to_xywh
from posekit.datasets.synthetic import JPEG_QUALITY, render_video
from posekit.datasets.synthetic_coco import coco_category
from posekit.skeletons import POSETRACK_FILE
from posekit.strict_json import write_json


@dataclasses.dataclass(frozen=True)
class DrawnVideos:
    """What is drawn."""

    sequences: int = 12
    """Videos."""
    frames: int = 40
    """Of each."""
    size: tuple[int, int] = (240, 320)
    """Height and width in pixels."""
    people: tuple[int, int] = (5, 9)
    """Least and largest number."""
    step: float = 3.0
    """Time between two frames; 1 is a leisurely walk."""
    crowding: float = 0.5
    """0 spreads the people over the image, 1 puts them on a heap."""
    heights: tuple[float, float] = (0.3, 0.8)
    """Least and largest body height as a share of the image height."""


def write_posetrack(root: str | Path, split: str, videos: DrawnVideos, seed: int = 0) -> None:
    """Draws videos that `load_posetrack` reads.

    Keypoints that are hidden are not annotated, as in PoseTrack; people of whom little is seen lie
    in ignore regions. The annotation file of a video is written last, so where it is, it is whole.

    Args:
        root: folder for `images/{split}/NAME/000000.jpg`, `annotations/{split}/NAME.json` and
            `flow/{split}/NAME/000000.flo`, the flow from that frame to the next.
        split: such as "val"; splits of other names show other people.
        videos: what is drawn.
        seed: of all splits.

    Raises:
        ValueError: an argument is out of its range.
        OSError: the disk is full or the folder cannot be written.
    """
    root = Path(root)
    for number in range(1, videos.sequences + 1):
        name = f"{number:06d}_mpii_drawn"
        folders = [root / kind / split / name for kind in ("images", "flow")]
        file = root / "annotations" / split / f"{name}.json"
        for folder in (*folders, file.parent):
            folder.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        examples = _video(videos, (seed, zlib.crc32(split.encode()), number))
        written = [_write_frame(example, *folders) for example in examples]
        write_json(file, _content(written, f"images/{split}/{name}", 10_000 * number))


def _video(videos: DrawnVideos, seed: tuple[int, ...]) -> Iterator[dict[str, np.ndarray]]:
    options = {"crowding": videos.crowding, "heights": videos.heights, "step": videos.step}
    drawn = videos.frames, videos.size, videos.people, POSETRACK_FILE
    return render_video(seed, *drawn, **options)


def _write_frame(example: dict[str, np.ndarray], images: Path, flow: Path) -> dict[str, Any]:
    """Writes picture and flow; returns the rest."""
    name = f"{int(example['image_id']):06d}"
    bgr = cv2.cvtColor(example["image"], cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (images / f"{name}.jpg").write_bytes(data)
    cv2.writeOpticalFlow(str(flow / f"{name}.flo"), example["flow"])
    kept = ("keypoints", "boxes", "track_ids", "head_boxes")
    size = {"height": example["image"].shape[0], "width": example["image"].shape[1]}
    return {"name": f"{name}.jpg", **size, **{key: example[key] for key in kept}}


def _content(frames: list[dict[str, Any]], folder: str, first_id: int) -> dict[str, Any]:
    images, people = [], []
    for image_id, frame in enumerate(frames, first_id):
        keypoints = frame["keypoints"]
        seen = (keypoints[..., 2] == 2).sum(axis=1) > 2
        images.append(_image(frame, image_id, folder, frame["boxes"][~seen]))
        rows = np.flatnonzero(seen)
        people += [_person(frame, row, image_id, 100 * image_id + n) for n, row in enumerate(rows)]
    # The ears of the file form are listed, and nobody annotates them.
    category = coco_category(POSETRACK_FILE)
    aliases = {"neck": "head_bottom"}
    category["keypoints"] = [aliases.get(name, name) for name in category["keypoints"]]
    return {"images": images, "annotations": people, "categories": [category]}


def _image(frame: dict, image_id: int, folder: str, ignored: np.ndarray) -> dict[str, Any]:
    x0, y0, x1, y1 = (ignored.astype(np.float64) - 0.5).T  # edges to points
    size = {"height": frame["height"], "width": frame["width"]}
    regions = {
        "ignore_regions_x": np.stack([x0, x1, x1, x0], axis=1).tolist(),
        "ignore_regions_y": np.stack([y0, y0, y1, y1], axis=1).tolist(),
    }
    names = {"id": image_id, "frame_id": image_id, "file_name": f"{folder}/{frame['name']}"}
    return names | {"vid_id": Path(folder).name, "is_labeled": True} | size | regions


def _person(frame: dict, row: int, image_id: int, number: int) -> dict[str, Any]:
    keypoints = np.round(frame["keypoints"][row].astype(np.float64), 3)
    hidden = (keypoints[:, 2] < 2) | [name.endswith("ear") for name in POSETRACK_FILE.names]
    keypoints = np.where(hidden[:, None], 0, keypoints)
    keypoints[:, 2] = ~hidden
    boxes = xyxy_to_xywh(np.stack([frame["boxes"][row], frame["head_boxes"][row]]))
    box, head = boxes.astype(np.float64).round(2).tolist()
    return {
        **{"id": number, "image_id": image_id, "category_id": 1},
        "track_id": int(frame["track_ids"][row]),
        "keypoints": keypoints.ravel().tolist(),
        "bbox": box,
        "bbox_head": head,
    }
