"""Person segmentation against Pascal VOC label images or COCO person masks."""

import os

import numpy as np

from posekit.images import MAX_PIXELS, ImageError, image_size

PERSON = 15
"""Index of the person in VOC's label images."""
VOID = 255
"""Index of outlines and difficult parts, which do not count."""
_NUM_CLASSES = 21


def read_labels(path: str | os.PathLike, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads a VOC label image: the indices of its palette, never the colours these stand for.

    Args:
        path: PNG with a palette, or grey with the indices as values.
        max_pixels: largest accepted height * width, checked before decoding.

    Returns:
        (H, W) uint8: 0 background, 1 to 20 the classes, 255 void.

    Raises:
        ImageError: damaged, too large, stored as colours, or with values that are no VOC class.
    """
    from PIL import Image

    image_size(path, max_pixels)  # says what is wrong with a file that is no picture
    try:
        with Image.open(path, formats=["PNG"]) as image:
            mode = image.mode
            labels = np.array(image) if mode in ("P", "L") else None
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"expected a whole PNG of labels, received: {error}", path) from None
    if labels is None:
        raise ImageError(
            f"expected label indices (a palette or 8-bit grey), received mode {mode}; take the "
            "original files of SegmentationClass, a program has turned these into colours",
            path,
        )
    strange = np.setdiff1d(labels, [*range(_NUM_CLASSES), VOID])
    if strange.size:
        some = ", ".join(map(str, strange[:8])) + (", ..." if strange.size > 8 else "")
        raise ImageError(f"expected indices 0 to 20 and 255, received {some}", path)
    return labels


def person_of_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits a label image into the person and what counts.

    Args:
        labels: (H, W) uint8 from `read_labels`.

    Returns:
        person: (H, W) bool.
        known: (H, W) bool, False where the label is void.
    """
    return labels == PERSON, labels != VOID


class PersonIoU:
    """Intersection over union of person masks, pixels of all images pooled, as VOC counts.

    For VOC: `update(predicted, *person_of_labels(labels))`. For COCO:
    `update(predicted, example["person_mask"], ~example["unknown_mask"])`.
    """

    def __init__(self) -> None:
        self._pixels = np.zeros((2, 2), np.int64)  # truth, predicted
        self._unknown = 0
        self._images = 0

    def update(
        self, predicted: np.ndarray, truth: np.ndarray, known: np.ndarray | None = None
    ) -> None:
        """Adds one image.

        Args:
            predicted: (H, W) bool, in the size of the truth.
            truth: (H, W) bool.
            known: (H, W) bool; where it is False nothing counts. None: all is known.

        Raises:
            ValueError: other sizes or types; nothing is added then.
        """
        predicted, truth = np.asarray(predicted), np.asarray(truth)
        known = np.ones(truth.shape, bool) if known is None else np.asarray(known)
        masks = {"predicted": predicted, "truth": truth, "known": known}
        for name, mask in masks.items():
            if mask.dtype != bool or mask.ndim != 2 or mask.shape != truth.shape:
                raise ValueError(
                    f"expected masks (H, W) bool of one size, the original image's, received "
                    f"{name} {mask.shape} {mask.dtype} beside truth {truth.shape}; resize the "
                    "prediction to the image and threshold it"
                )
        cells = np.bincount((2 * truth[known] + predicted[known]).astype(np.intp), minlength=4)
        self._pixels += cells.reshape(2, 2)
        self._unknown += int(known.size - np.count_nonzero(known))
        self._images += 1

    def result(self) -> dict[str, float | int | None]:
        """Returns the figures of all images so far.

        Returns:
            iou: true / (true + false + missed) pixels; None where there are none of these.
            precision, recall: of pixels; None where nothing was predicted, or nobody is there.
            images: how many.
            pixels, unknown_pixels: that counted, and that did not.
        """
        (_, false), (missed, true) = self._pixels.tolist()
        return {
            "iou": _ratio(true, true + false + missed),
            "precision": _ratio(true, true + false),
            "recall": _ratio(true, true + missed),
            "images": self._images,
            "pixels": int(self._pixels.sum()),
            "unknown_pixels": self._unknown,
        }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
