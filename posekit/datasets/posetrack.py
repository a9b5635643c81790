"""PoseTrack, of 2017 and 2018 -> a data set as `load_coco` makes, with tracks and sequences."""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.atomic_files import whole_files
from posekit.boxes import clip_boxes
from posekit.datasets.coco import CocoDataset, DatasetError
from posekit.datasets.masks import Segmentations, polygon_points
from posekit.datasets.people_index import (
    PlainImages,
    PlainPeople,
    boxes_round_keypoints,
    index_of_people,
)
from posekit.datasets.picture_sizes import picture_sizes
from posekit.datasets.posetrack_files import (
    PoseTrackSequence,
    read_sequence,
    with_image_ids,
)
from posekit.skeletons import POSETRACK

MINVAL = "minval"
"""Split: every fifth sequence of "val" by name. MDPN does not say which 15 its min-val has."""


@dataclasses.dataclass(frozen=True)
class PoseTrackDataset(CocoDataset):
    """Frames with their people; make it with `load_posetrack`.

    What is added lies in the order of the index, so it stays right in a subset: image i of the data
    set is row `rows[i]`, its people are `index.first[rows[i]]:index.first[rows[i] + 1]`.

    Args:
        sequences: S names; that of the file, and of the video where a file holds several.
        sequence: (F,) int64 which of the sequences.
        labelled: (F,) bool.
        ignore_regions: F tuples of (P, 2) polygons of points, inside of which people may be
            without annotation.
        track_ids: (A,) int64, unique to a person within a sequence; -1 for none.
        head_boxes: (A, 4) float32 xyxy as in the file; NaN for none.
    """

    sequences: tuple[str, ...]
    sequence: np.ndarray
    labelled: np.ndarray
    ignore_regions: tuple[tuple[np.ndarray, ...], ...]
    track_ids: np.ndarray
    head_boxes: np.ndarray

    def tracks(self, i: int) -> dict[str, np.ndarray]:
        """The `track_ids` (N,) and `head_boxes` (N, 4) of the people of `annotations(i)`."""
        people = self._people(i)
        return {
            "track_ids": self.track_ids[people].copy(),
            "head_boxes": self.head_boxes[people].copy(),
        }

    def annotations(self, i: int) -> dict[str, np.ndarray]:
        """As `CocoDataset.annotations`, with the `ignored_boxes` of the image."""
        return super().annotations(i) | {"ignored_boxes": self.ignored_boxes(i)}

    def ignored_boxes(self, i: int) -> np.ndarray:
        """The boxes (R, 4) float32 xyxy about the ignore regions of image i, cut at the image."""
        regions = self.ignore_regions[self.rows[i]]
        corners = [[*region.min(axis=0), *region.max(axis=0)] for region in regions]
        boxes = np.array(corners, np.float32).reshape(-1, 4) + 0.5  # points to edges
        size = self.size(i)
        return clip_boxes(boxes, size) if all(size) else boxes

    def masks(self, i: int) -> dict[str, np.ndarray]:
        """As `CocoDataset.masks`; the ignore regions belong to `ignore_mask`."""
        masks = super().masks(i)
        regions = self.ignore_regions[self.rows[i]]
        if regions:
            canvas = masks["ignore_mask"].view(np.uint8)
            _regions_mask(regions).draw(0, canvas)
        return masks


def load_posetrack(
    root: str | Path, split: str, unlabelled: bool = False, headers: bool = True
) -> PoseTrackDataset:
    """Indexes one split; reads no picture, of a sequence without stated size one header.

    Boxes are the extent of the keypoints grown by 15 % in all and cut at the image; those of the
    files are not used. Areas are those of the boxes. Annotation ids count the people of the split;
    image ids are those of the files of 2018, for files of 2017 they count from 1.

    Args:
        root: folder with `annotations/{split}/*.json`, one sequence a file, of either form; the
            file names in them start from this folder.
        split: such as "train" or "val", or `MINVAL`.
        unlabelled: keep the frames that nobody annotated, for tracking; training needs them away.
        headers: False for annotations alone: sizes that the files do not state are 0 then.

    Returns:
        Frames in the order of the sorted files; skeleton POSETRACK. The report also counts frames
        `unlabelled` and people `without_keypoints`, who are dropped, and lists those whose track id
        `repeated_tracks` another one of the same frame has.

    Raises:
        DatasetError: naming the missing path, or the file and entry, and what was expected.

    Reference: Xiao et al. 2018, section 4.2 (15 %).
    """
    root = Path(root)
    folder = root / "annotations" / ("val" if split == MINVAL else split)
    try:
        files = whole_files(folder, ".json")
        if not files:
            raise ValueError(f"{folder}: expected the .json files of {split!r} there, found none")
        parts = with_image_ids(map(read_sequence, files))
        return _join(parts[:: 5 if split == MINVAL else 1], root, unlabelled, headers)
    except (ValueError, OSError) as error:
        raise DatasetError(str(error)) from error


def _join(
    parts: list[PoseTrackSequence], root: Path, unlabelled: bool, headers: bool
) -> PoseTrackDataset:
    first = np.cumsum([0, *(len(part.file_names) for part in parts)])
    frame = np.concatenate([part.frame + n for part, n in zip(parts, first, strict=False)])
    keypoints = np.concatenate([part.keypoints for part in parts]).astype(np.float32)
    tracks = np.concatenate([part.track_ids for part in parts])
    crowd = np.concatenate([part.is_crowd for part in parts])
    labelled = np.concatenate([part.labelled for part in parts])
    names = [_sequence_names(part) for part in parts]
    sequences, sequence = np.unique(np.concatenate(names), return_inverse=True)
    images = _images(parts, sequence, root, headers)
    people = PlainPeople(frame, keypoints, boxes_round_keypoints(keypoints), crowd)
    index, kept = index_of_people(images, people, POSETRACK)
    bare = ~(keypoints[..., 2] > 0).any(axis=1)
    report = index.report | {
        "bad_boxes": np.setdiff1d(index.report["bad_boxes"], np.flatnonzero(bare)).tolist(),
        "unlabelled": int((~labelled).sum()),
        "without_keypoints": int(bare.sum()),
        "repeated_tracks": _repeated(frame, tracks),
    }
    return PoseTrackDataset(
        index=dataclasses.replace(index, report=report),
        annotation_file=parts[0].file.parent,
        image_folder=root,
        rows=np.arange(len(labelled)) if unlabelled else np.flatnonzero(labelled),
        sequences=tuple(sequences.tolist()),
        sequence=sequence,
        labelled=labelled,
        ignore_regions=tuple(regions for part in parts for regions in part.ignore_regions),
        track_ids=tracks[kept],
        head_boxes=np.concatenate([part.head_boxes for part in parts])[kept].astype(np.float32),
    )


def _sequence_names(part: PoseTrackSequence) -> list[str]:
    if len(set(part.videos)) < 2:
        return [part.file.stem] * len(part.videos)
    return [f"{part.file.stem}/{video}" for video in part.videos]


def _images(
    parts: list[PoseTrackSequence], sequence: np.ndarray, root: Path, headers: bool
) -> PlainImages:
    names = tuple(name for part in parts for name in part.file_names)
    sizes = np.concatenate([part.sizes for part in parts])
    unknown = ~sizes.all(axis=1)
    if headers and unknown.any():
        # All frames of a video have one size; reading a frame of another one says so.
        numbers, places = np.unique(np.where(unknown, sequence, -1), return_index=True)
        places = places[numbers >= 0]
        read = np.zeros((sequence.max() + 1, 2), np.int32)
        read[sequence[places]] = picture_sizes(root, [names[place] for place in places])
        sizes[unknown] = read[sequence[unknown]]
    ids = np.concatenate([part.image_ids for part in parts])
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{parts[0].file.parent}: expected unique image ids, received {values[counts > 1][0]} "
            f"{counts.max()} times"
        )
    return PlainImages(ids, names, sizes)


def _repeated(frame: np.ndarray, tracks: np.ndarray) -> list[int]:
    pairs = np.stack([frame, tracks], axis=1)
    _, inverse, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    return np.flatnonzero((counts[inverse.ravel()] > 1) & (tracks >= 0)).tolist()


def _regions_mask(regions: tuple[np.ndarray, ...]) -> Segmentations:
    """The union of polygons of points as one mask; points are half a pixel before edges."""
    points = polygon_points(np.concatenate(regions) + 0.5)
    ends = np.cumsum([0, *map(len, regions)])
    rings = np.array([[0, len(regions)]], np.int64)
    return Segmentations(points, ends, rings, np.zeros(0, np.int32), np.zeros((1, 2), np.int64))
