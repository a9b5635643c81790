"""What PCKh needs of MPII's ground truth: keypoints and head sizes, in the order of a file."""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.datasets.array_files import read_array
from posekit.datasets.coco import DatasetError
from posekit.datasets.mat_files import variable_names
from posekit.datasets.mpii_files import from_zero
from posekit.datasets.mpii_mat import read_mpii_mat

HEAD_FACTOR = 0.6
"""Share of the head box's diagonal that is the head size, by MPII's own evaluation."""
_IN_A_FOLDER = ("gt_valid.mat", "detections_our_format.mat", "annot_valid.h5")
_ORDER = "rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri".split()


@dataclasses.dataclass(frozen=True)
class MpiiTruth:
    """N people.

    Args:
        file: where they come from.
        keypoints: (N, 16, 3) float32 x, y (pixels from 0), v; v is 0 where there is no truth.
        head_sizes: (N,) float64 pixels, 0.6 times the diagonal of the head box.
        head_boxes: (N, 4) float64 xyxy edges; None where the file has the sizes only.
    """

    file: Path
    keypoints: np.ndarray
    head_sizes: np.ndarray
    head_boxes: np.ndarray | None

    def __len__(self) -> int:
        return len(self.keypoints)


def load_mpii_truth(path: str | Path) -> MpiiTruth:
    """Reads the ground truth of the 2,958 validation people, or of all training people.

    Args:
        path: `gt_valid.mat` or `detections_our_format.mat` (one content under two names),
            `annot_valid.h5`, the official `mpii_human_pose_v1_u12_1.mat` (its people with
            keypoints), or a folder with one of the first three, in this order. In the `.h5`
            necks and head tops are cut to whole pixels: a file of predictions with Head 95.80 has
            95.84 there, and 33.90 instead of 30.73 at 0.1.

    Raises:
        DatasetError: naming the file, what is wrong in it, and the person counted from 0.
    """
    path = Path(path)
    try:
        truth = _read(_in_folder(path) if path.is_dir() else path)
        _check(truth)
    except (ValueError, OSError) as error:
        raise DatasetError(str(error)) from error
    return truth


def _in_folder(folder: Path) -> Path:
    found = [folder / name for name in _IN_A_FOLDER if (folder / name).is_file()]
    if not found:
        raise ValueError(f"{folder}: expected one of {', '.join(_IN_A_FOLDER)} in it, found none")
    return found[0]


def _read(path: Path) -> MpiiTruth:
    if path.suffix in (".json", ".gz"):
        raise ValueError(
            f"{path}: expected ground truth with head boxes, which MPII's JSON lists lack; give "
            f"{', '.join(_IN_A_FOLDER)} or the official .mat"
        )
    if path.suffix in (".h5", ".hdf5"):
        return _of_h5(path)
    return _of_release(path) if "RELEASE" in variable_names(path) else _of_detections(path)


def _of_h5(path: Path) -> MpiiTruth:
    points, sizes = _numbers(path, "part", (-1, 16, 2)), _numbers(path, "normalize", (-1,))
    # `visible` also is 0 for what is hidden; here the absent ones are known by (0, 0).
    there = (points != 0).any(axis=2, keepdims=True)
    return MpiiTruth(path, from_zero(np.concatenate([points, 2 * there], axis=2)), sizes, None)


def _of_detections(path: Path) -> MpiiTruth:
    order = [str(name) for name in np.ravel(read_array(path, "dataset_joints"))]
    if order != _ORDER:
        raise ValueError(f"{path}: dataset_joints: expected {_ORDER}, received {order!r:.200}")
    points = _numbers(path, "pos_gt_src", (16, 2, -1)).transpose(2, 0, 1)
    there = _numbers(path, "jnt_missing", (16, -1)).T[..., None] == 0
    corners = _numbers(path, "headboxes_src", (2, 2, -1)).transpose(2, 0, 1).reshape(-1, 4)
    keypoints = from_zero(np.concatenate([points, 2 * there], axis=2))
    return MpiiTruth(path, keypoints, head_sizes(corners), corners - 0.5)


def _of_release(path: Path) -> MpiiTruth:
    people = read_mpii_mat(path, "train")
    rows = (people.keypoints[..., 2] > 0).any(axis=1)
    boxes = people.head_boxes[rows]
    return MpiiTruth(path, people.keypoints[rows], head_sizes(boxes), boxes)


def head_sizes(head_boxes: np.ndarray) -> np.ndarray:
    """Returns 0.6 times the diagonals (N,) of head boxes (N, 4) xyxy."""
    return HEAD_FACTOR * np.linalg.norm(head_boxes[:, 2:] - head_boxes[:, :2], axis=1)


def _numbers(path: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = read_array(path, name)
    fits = len(array.shape) == len(shape) and array.dtype.kind in "fiub"
    if not fits or any(n not in (-1, m) for n, m in zip(shape, array.shape, strict=True)):
        wanted = tuple("N" if n == -1 else n for n in shape)
        raise ValueError(
            f"{path}: {name}: expected numbers {wanted}, received {array.dtype} {array.shape}"
        )
    return array.astype(np.float64)


def _check(truth: MpiiTruth) -> None:
    points, sizes = truth.keypoints, truth.head_sizes
    if len(points) != len(sizes):
        raise ValueError(
            f"{truth.file}: expected a head size for each of {len(points)} people, received "
            f"{len(sizes)}"
        )
    wrong = ~np.isfinite(points).all(axis=(1, 2))
    if wrong.any():
        raise ValueError(f"{truth.file}: person {wrong.argmax()}: expected finite keypoints")
    wrong = ~(np.isfinite(sizes) & (sizes > 0)) & (points[..., 2] > 0).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"{truth.file}: person {wrong.argmax()}: expected a head box with a size, received "
            f"head size {sizes[wrong.argmax()]}"
        )
