"""Examples with masks as the entries of a COCO annotation file."""

from typing import Any

import numpy as np
import pycocotools.mask

from posekit.skeletons import Skeleton


def coco_category(skeleton: Skeleton) -> dict[str, Any]:
    """The file's category: a person with this skeleton's names and 1-based limbs."""
    return {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(skeleton.names),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.limbs],
    }


def coco_annotations(example: dict[str, np.ndarray], image_id: int) -> list[dict[str, Any]]:
    """Converts people to annotations.

    Args:
        example: of `render_image`, with masks.
        image_id: of the file.

    Returns:
        One dict per person, without id; masks as compressed run lengths, since only those are
        exact.
    """
    masks = np.asfortranarray(example["masks"].transpose(1, 2, 0), np.uint8)
    runs = pycocotools.mask.encode(masks)
    corners, ends = np.split(example["boxes"], 2, axis=1)
    boxes = np.concatenate([corners, ends - corners], 1)
    keypoints = np.round(example["keypoints"].astype(np.float64), 3)
    columns = (example["is_crowd"], keypoints, example["areas"], boxes, runs)
    return [
        {
            "image_id": image_id,
            "category_id": 1,
            "iscrowd": int(crowd),
            "keypoints": points.ravel().tolist(),
            "num_keypoints": int((points[:, 2] > 0).sum()),
            "area": float(area),
            "bbox": box.tolist(),
            "segmentation": {"size": run["size"], "counts": run["counts"].decode()},
        }
        for crowd, points, area, box, run in zip(*columns, strict=True)
    ]
