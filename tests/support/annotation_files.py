"""A small good file of every form that annotations and results come in, for tests to spoil."""

import json
from pathlib import Path

import numpy as np

from posekit.frames import Frame
from posekit.poses import Poses
from posekit.skeletons import COCO, POSETRACK, POSETRACK_FILE
from tracking.run.header import TrackHeader
from tracking.run.lines import TrackWriter

SIZE = (48, 64)
"""(height, width) of all images."""
PERSON = {"id": 1, "name": "person", "keypoints": list(COCO.names)}
_FILE_NAMES = ["head_bottom" if name == "neck" else name for name in POSETRACK_FILE.names]
_SQUARE = [10, 10, 30, 10, 30, 40, 10, 40]


def points(count: int, x: float = 12.0) -> list[float]:
    """Flat x, y, 2 of `count` keypoints inside of 10..30 x 10..40."""
    rows = [[x + i % 7, 12 + 1.5 * i, 2] for i in range(count)]
    return [number for row in rows for number in row]


def coco_person(number: int, image_id: int, **fields) -> dict:
    """One annotation with 17 keypoints, a box and a polygon."""
    person = {"id": number, "image_id": image_id, "category_id": 1, "iscrowd": 0}
    person |= {"bbox": [10, 10, 20, 30], "area": 600.0, "segmentation": [_SQUARE]}
    return person | {"keypoints": points(17), "num_keypoints": 17} | fields


def coco_truth(people: list[dict], num_images: int = 3) -> dict:
    """A ground truth of images 1, 2, ... named 1.png, 2.png, ..."""
    images = [
        {"id": i, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]}
        for i in range(1, num_images + 1)
    ]
    return {"images": images, "annotations": people, "categories": [PERSON]}


def good_truth() -> dict:
    """Two people with polygons, one with run lengths, and a crowd."""
    runs = {"size": list(SIZE), "counts": [100, 200, SIZE[0] * SIZE[1] - 300]}
    text = {"size": list(SIZE), "counts": "T3X6df2"}  # the same
    people = [coco_person(1, 1), coco_person(2, 1, segmentation=text), coco_person(3, 2)]
    crowd = {"iscrowd": 1, "segmentation": runs, "keypoints": [0] * 51, "num_keypoints": 0}
    return coco_truth([*people, coco_person(4, 3, **crowd)])


def coco_results(kind: str = "keypoints") -> list[dict]:
    """The people of `good_truth`, as results."""
    values = points(17) if kind == "keypoints" else [10, 10, 20, 30]
    ids = {"category_id": 1, "score": 0.5}
    return [{"image_id": i, kind: list(values)} | ids for i in (1, 1, 2)]


def posetrack18(image_ids: tuple[int, ...] = (100, 101, 102)) -> dict:
    """Annotations that also serve as predictions: two people in each frame, tracked."""
    images = [
        {"id": i, "frame_id": i, "file_name": f"images/val/a/{i}.jpg", "is_labeled": True}
        | {"height": SIZE[0], "width": SIZE[1]}
        | {"ignore_regions_x": [[0, 5, 5]], "ignore_regions_y": [[0, 0, 5]]}
        for i in image_ids
    ]
    person = {"category_id": 1, "bbox_head": [10, 10, 30, 40], "scores": [0.5] * 17}
    people = [
        {"id": 10 * i + n, "image_id": i, "track_id": n}
        | person
        | {"keypoints": points(17, 12.0 + 25 * n)}
        for i in image_ids
        for n in range(2)
    ]
    category = {"id": 1, "name": "person", "keypoints": _FILE_NAMES}
    return {"images": images, "annotations": people, "categories": [category]}


def posetrack17() -> dict:
    """The same people in the form of 2017."""
    places = [
        {"id": [k], "x": [12.0 + k % 7], "y": [12 + 1.5 * k], "score": [0.5]} for k in range(15)
    ]
    head = {"x1": [0], "y1": [0], "x2": [30], "y2": [40]}
    person = {"annopoints": [{"point": places}], "track_id": [0], "score": [0.5]} | head
    frames = [
        {"image": [{"name": f"images/val/a/{i}.jpg"}], "annorect": [person], "is_labeled": [1]}
        | {"ignore_regions": [{"point": [{"x": [1], "y": [n]} for n in range(3)]}]}
        for i in range(100, 103)
    ]
    return {"annolist": frames}


def mpii_complete() -> list[dict]:
    """MPII's list with image sizes, two people of which one is another's neighbour."""
    row = [[10.0 + i, 12.0 + i, 1.0] for i in range(16)]
    person = {"img_paths": "a.png", "joint_self": row, "img_width": 64.0, "img_height": 48.0}
    person |= {"objpos": [16.0, 31.0], "scale_provided": 0.2, "isValidation": 1.0}
    return [person | {"joint_others": [[[*place[:2], 0.0] for place in row]]}]


def mpii_usual() -> list[dict]:
    """MPII's list of the other form."""
    person = {"image": "a.png", "joints": [[10 + i, 12 + i] for i in range(16)]}
    return [person | {"joints_vis": [1] * 16, "center": [16, 31], "scale": 0.2}]


def peaks() -> dict:
    """A file of peaks of two images."""
    found = {"nose": [[4.5, 9.0, 0.8], [40.0, 9.0, 0.3]], "left_eye": []}
    return {"images": [{"image_id": i, "peaks": found} for i in (1, 2)]}


def track_lines(path: Path) -> str:
    """Writes a whole file of tracks, three frames of two people, and returns its text."""
    header = TrackHeader(POSETRACK, "a.mp4", SIZE, rate=25.0, declared=3)
    keypoints = np.array(points(15), np.float32).reshape(1, 15, 3).repeat(2, axis=0)
    boxes = np.array([[10, 10, 30, 40]] * 2, np.float32)
    writer = TrackWriter(path, header)
    for index in range(3):
        image = np.zeros((*SIZE, 3), np.uint8)
        poses = Poses(keypoints, np.ones(2), boxes, POSETRACK, np.arange(2))
        writer.write(Frame(image, index, index / 25), poses)
    writer.finish({"frames": 3})
    return path.read_text()


def write_coco(root: Path, content: dict | str, split: str = "val", pictures: bool = False) -> Path:
    """Writes a COCO folder of one split; returns its annotation file."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / split).mkdir(exist_ok=True)
    path = root / "annotations" / f"person_keypoints_{split}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    if pictures:
        import cv2

        rng = np.random.default_rng(0)
        for image in content["images"]:
            picture = rng.integers(0, 256, (*SIZE, 3), np.uint8)
            cv2.imwrite(str(root / split / image["file_name"]), picture)
    return path
