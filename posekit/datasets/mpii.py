"""MPII Human Pose: the official file or the usual JSON lists -> a data set as `load_coco` makes."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from posekit.datasets.coco import CocoDataset, DatasetError
from posekit.datasets.coco_index import CocoIndex
from posekit.datasets.mpii_files import MpiiPeople, read_mpii_json
from posekit.datasets.mpii_mat import read_mpii_mat
from posekit.datasets.people_index import (
    PlainImages,
    PlainPeople,
    boxes_round_keypoints,
    index_of_people,
)
from posekit.datasets.picture_sizes import picture_sizes
from posekit.skeletons import MPII

_VALID = ("annot/valid.json", "annot/valid.json.gz", "valid.json", "valid.json.gz")
_FILES = ("mpii_annotations.json", "mpii_annotations.json.gz", "mpii_human_pose_v1_u12_1.mat")
BoxKind = Literal["keypoints", "centre"]


def load_mpii(
    root: str | Path,
    split: str | None = "train",
    images: str | Path | None = None,
    box: BoxKind = "keypoints",
    headers: bool = True,
) -> CocoDataset:
    """Indexes MPII's people; reads no picture, of those without stated size the header.

    Annotation ids are the places in the file's split, from 0; so predictions for the people of
    `annot/valid.json`, put at those places, are in the order of its ground truth
    (`load_mpii_truth`). MPII has no areas: they are those of the boxes. Image ids count the images.
    People who are on an image without an entry of their own (`joint_others`; 3,679 on the
    validation images) are crowds: detectors ignore them, pose networks do not learn them.

    Args:
        root: folder with `images/` and `annot/{split}.json`, `mpii_annotations.json` or
            `mpii_human_pose_v1_u12_1.mat`, or such a file; a JSON file may be gzipped. The forms:
            see `mpii_files`.
        split: "train" or "valid"; of the official .mat "train" or "test"; None takes all of a
            JSON list or all training images of the .mat. Those of "train" in the .mat contain what
            others call valid: the images that `annot/valid.json` or `valid.json` beside the .mat
            list are left out.
        images: folder of the pictures; None: `images` in root, or beside the file.
        box: "keypoints" for the extent of the keypoints grown by 15 % in all, cut at the image;
            "centre" for the square of 200 * scale pixels about the centre, 15 * scale further
            down. It is not cut at the image; its middle in box coordinates is the centre in point
            coordinates, so that a crop by `person_crop_transform` is that of the MPII protocol.
        headers: False for annotations alone: sizes that the file does not state are 0 then, and
            no folder of pictures is needed.

    Returns:
        Skeleton MPII; the report also counts people `without_keypoints`.

    Raises:
        DatasetError: naming the file and the entry, or the folder, and what was expected.

    Reference: Xiao et al. 2018, section 4 (15 %); the centre, its shift and factor 1.25, which is
    left to the crop, are those of their code for MPII.
    """
    if box not in ("keypoints", "centre"):
        raise ValueError(f"expected the box 'keypoints' or 'centre', received {box!r}")
    try:
        file = _annotation_file(Path(root), split)
        folder = Path(images or Path(root if file != Path(root) else file.parent) / "images")
        people = read_mpii(file, split)
        unknown = np.flatnonzero(~people.sizes.all(axis=1))
        if len(unknown) and headers:
            people.sizes[unknown] = picture_sizes(folder, [people.names[i] for i in unknown])
        rows = np.arange(len(people.names))
        if file.suffix == ".mat" and split == "train":
            rows = np.flatnonzero(~np.isin(people.names, _validation_images(file.parent)))
        return CocoDataset(_index(people, box), file, folder, rows)
    except (ValueError, OSError) as error:
        raise DatasetError(str(error)) from error


def read_mpii(file: Path, split: str | None = None) -> MpiiPeople:
    """Reads whichever form the file has; see `load_mpii`.

    Raises:
        ValueError: naming the file, the entry and what was expected.
        OSError: the file cannot be read.
    """
    if file.suffix == ".mat":
        return read_mpii_mat(file, split or "train")
    return read_mpii_json(file, split)


def _annotation_file(root: Path, split: str | None) -> Path:
    if not root.is_dir():
        return root
    names = [f"annot/{split}.json", f"annot/{split}.json.gz", *_FILES]
    found = [root / name for name in names if (root / name).is_file()]
    if not found:
        raise ValueError(f"{root}: expected one of {', '.join(names)} in it, found none")
    return found[0]


def _validation_images(folder: Path) -> tuple[str, ...]:
    """Names that the list of validation people has, if it lies there; none of them is in "train".

    The usual split is one of images: 2,729 for validation, 14,679 for training, none in both.
    """
    found = [folder / name for name in _VALID if (folder / name).is_file()]
    return read_mpii_json(found[0], "valid").names if found else ()


def _index(people: MpiiPeople, box: BoxKind) -> CocoIndex:
    boxes = boxes_round_keypoints(people.keypoints)
    if box == "centre":  # the others on an image have none
        boxes = np.where(people.is_other[:, None], boxes, protocol_boxes(people))
    index, _ = index_of_people(
        PlainImages(np.arange(len(people.names)), people.names, people.sizes),
        PlainPeople(people.image, people.keypoints, boxes, people.is_other),
        MPII,
        clip=box == "keypoints",
    )
    labelled = (people.keypoints[..., 2] > 0).any(axis=1)
    report = index.report | {"without_keypoints": int((~labelled).sum())}
    return dataclasses.replace(index, report=report)


def protocol_boxes(people: MpiiPeople) -> np.ndarray:
    """Returns the squares of the single-person protocol, (A, 4) xyxy; see `load_mpii`."""
    centres = people.centres + np.stack([0 * people.scales, 15 * people.scales], axis=1)
    half = 100 * people.scales[:, None]
    return np.concatenate([centres - half, centres + half], axis=1)
