"""Files of keypoint peaks, before any grouping: one JSON object, read image by image.

```json
{"images": [{"image_id": 139, "peaks": {"nose": [[412.5, 96.0, 0.83]], "left_eye": []}}]}
```

Each peak is x, y in pixels of the original image, the centre of the top-left one at (0, 0), and a
score above 0; types are the skeleton's names, and those without peaks may be left out. From
OpenPose's lists of candidates of each type:
`{"image_id": i, "peaks": {name: [list(map(float, c[:3])) for c in candidates[name]]}}`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from posekit.datasets.coco_json import iterate_items
from posekit.gzip_files import plain_file
from posekit.metrics.coco_truth import MAX_VALUE
from posekit.skeletons import Skeleton, common_name

MAX_PEAKS = 64
"""Most peaks of one keypoint type in an image; the best are taken."""


class PeakFileError(ValueError):
    """A file of peaks that cannot be used."""

    exit_code = 2


def read_peaks(
    path: Path, skeleton: Skeleton, drop_unknown: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """Reads a file of peaks image by image.

    Args:
        path: JSON, plain or `.gz`, see above.
        skeleton: what the K keypoint types are.
        drop_unknown: leaves out other types.

    Yields:
        Image id and (M, K, 3) float32 x, y, score, best first, padded with 0.

    Raises:
        PeakFileError: naming the file, the image and the type.
    """
    try:
        with plain_file(path) as plain:
            yield from _images(plain, skeleton, drop_unknown)
    except (ValueError, OSError) as error:
        text = str(error)
        raise PeakFileError(text if str(path) in text else f"{path}: {text}") from error


def peaks_entry(image_id: int, peaks: np.ndarray, skeleton: Skeleton) -> dict[str, object]:
    """Makes an image's entry of a file of peaks.

    Args:
        image_id: of the image.
        peaks: (M, K, 3) x, y, score in image pixels; those of score 0 are left out.
        skeleton: names of the K types.
    """
    shortest = np.asarray(peaks, np.float32).astype(str).astype(np.float64)
    lists = {
        name: shortest[shortest[:, kind, 2] > 0, kind].tolist()
        for kind, name in enumerate(skeleton.names)
    }
    return {"image_id": int(image_id), "peaks": lists}


def _images(path: Path, skeleton: Skeleton, drop_unknown: bool):
    seen = set()
    for key, place, item in iterate_items(path, ("images",)):
        if key != "images":
            raise ValueError(f"expected the one key images at the top, received {key!r:.40}")
        image_id = item.get("image_id")
        if type(image_id) is not int or not -(2**63) <= image_id < 2**63:
            raise ValueError(
                f"{place}, image_id: expected a whole number, received {image_id!r:.40}"
            )
        if image_id in seen:
            raise ValueError(f"{place}: expected every image once, received id {image_id} again")
        seen.add(image_id)
        try:
            yield image_id, _peaks(item, skeleton, drop_unknown)
        except ValueError as error:
            raise ValueError(f"{place}, image_id {image_id}, {error}") from None


def _peaks(item: dict, skeleton: Skeleton, drop_unknown: bool) -> np.ndarray:
    """Returns (M, K, 3); M is that of the type with the most peaks."""
    given = item.get("peaks")
    if not isinstance(given, dict) or set(item) != {"image_id", "peaks"}:
        raise ValueError(
            "expected image_id and peaks, an object of lists by keypoint name, received "
            f"{sorted(map(str, item))} with peaks {given!r:.60}"
        )
    types = _types(given, skeleton, drop_unknown)
    lists = {kind: _list_of_peaks(given[name], name) for kind, name in types.items()}
    most = max(map(len, lists.values()), default=0)
    peaks = np.zeros((most, skeleton.num_keypoints, 3), np.float32)
    for kind, values in lists.items():
        peaks[: len(values), kind] = values
    return peaks


def _types(given: Mapping, skeleton: Skeleton, drop_unknown: bool) -> dict[int, str]:
    """Returns keypoint type -> name in the file."""
    numbers = {name: kind for kind, name in enumerate(skeleton.names)}
    found = {name: numbers.get(name, numbers.get(common_name(name))) for name in given}
    unknown = [name for name, kind in found.items() if kind is None]
    if unknown and not drop_unknown:
        raise ValueError(
            f"peaks: expected keypoints of skeleton {skeleton.name!r} ({', '.join(numbers)}), "
            f"received {', '.join(unknown)}; leave such out with --drop-unknown"
        )
    types = {kind: name for name, kind in found.items() if kind is not None}
    if len(types) + len(unknown) < len(given):
        raise ValueError(f"peaks: expected every keypoint once, received {', '.join(given)}")
    return types


def _list_of_peaks(values: object, name: str) -> np.ndarray:
    """Returns (n, 3) x, y, score, the best `MAX_PEAKS` of them, best first."""
    wanted = f"peaks of {name}: expected a list of [x, y, score]"
    try:
        peaks = np.array(values if isinstance(values, list) else [None])
    except ValueError:
        peaks = np.array(None)
    if values == []:
        return np.zeros((0, 3))
    if peaks.dtype.kind not in "if" or peaks.ndim != 2 or peaks.shape[1] != 3:
        raise ValueError(f"{wanted}, received {values!r:.80}")
    wrong = ~(np.abs(peaks) < MAX_VALUE).all(axis=1) | (peaks[:, 2] < 0)
    if wrong.any():
        raise ValueError(
            f"{wanted} with finite numbers and scores of at least 0, received "
            f"{peaks[wrong][0].tolist()}; logits need a sigmoid first"
        )
    return peaks[np.argsort(-peaks[:, 2], kind="stable")[:MAX_PEAKS]]
