"""A folder of predictions: JSON and a picture of each photo, COCO files of the whole."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from posekit.atomic_files import write_file
from posekit.datasets.synthetic_coco import coco_category
from posekit.json_lists import JsonList, json_list, json_object
from posekit.orientation import stored_size
from posekit.photos.photo_names import Photo
from posekit.photos.prediction_files import (
    as_stored,
    coco_people,
    draw_prediction,
    encode_picture,
    photo_json,
)
from posekit.poses import Poses, to_coco_results
from posekit.skeletons import Skeleton
from posekit.strict_json import write_json

FILES_OF_THE_WHOLE = ("results", "images", "annotations", "rejected")
"""Names that the files of one photo cannot have."""


@contextlib.contextmanager
def prediction_folder(
    folder: Path,
    skeleton: Skeleton,
    models: tuple[str, ...],
    score: float,
    as_annotations: bool = False,
) -> Iterator["PredictionFolder"]:
    """Opens a folder to add photos to; the files of the whole appear at the end, or not at all.

    Args:
        folder: to write into; it exists.
        skeleton: of the poses.
        models: names of the model files.
        score: least score of a person in pictures and annotations; the other files hold all.
        as_annotations: also write annotations.json, a complete COCO keypoint file.
    """
    head = {
        "info": {"description": f"People found by {', '.join(models)}", "version": "1"},
        "licenses": [],
        "categories": [coco_category(skeleton)],
    }
    lists = ("images", "annotations")
    with contextlib.ExitStack() as stack:
        results = stack.enter_context(json_list(folder / "results.json"))
        images = stack.enter_context(json_list(folder / "images.json"))
        annotations = None
        if as_annotations:
            annotations = stack.enter_context(json_object(folder / "annotations.json", head, lists))
        yield PredictionFolder(folder, models, score, results, images, annotations)


class PredictionFolder:
    """Writes photos as they come; made by `prediction_folder`.

    `num_photos`, `num_people` and `num_clear` count what was added; a person is clear from the
    least score on.
    """

    def __init__(
        self,
        folder: Path,
        models: tuple[str, ...],
        score: float,
        results: JsonList,
        images: JsonList,
        annotations: dict[str, JsonList] | None,
    ):
        self.folder, self.models, self.score = folder, models, score
        self.num_photos = self.num_people = self.num_clear = 0
        self._results, self._images, self._annotations = results, images, annotations
        self._next_id = 1

    def add(self, photo: Photo, image: np.ndarray, orientation: int, prediction) -> None:
        """Writes NAME.json and NAME.jpg, and adds to the files of the whole.

        Args:
            photo: the file.
            image: (H, W, 3) uint8 RGB, upright.
            orientation: EXIF number of the file.
            prediction: in pixels of the upright image, see `prediction_files.Found`.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        stored = as_stored(prediction, orientation, image.shape[:2])
        size = stored_size(image.shape[:2], orientation)
        described = photo_json(photo, stored, size, orientation, self.models)
        write_json(self.folder / f"{photo.name}.json", described)
        picture = draw_prediction(image, prediction, self.score)
        write_file(self.folder / f"{photo.name}.jpg", encode_picture(picture))
        self._list(photo, stored.poses, size)

    def _list(self, photo: Photo, poses: Poses, size: tuple[int, int]) -> None:
        height, width = size
        clear = poses.select(poses.scores >= self.score)
        self.num_photos += 1
        self.num_people += len(poses)
        self.num_clear += len(clear)
        entry = {"id": photo.image_id, "file_name": photo.file_name}
        entry |= {"width": width, "height": height}
        self._images.append({**entry, "name": photo.name})
        for result in to_coco_results(poses.select(poses.scores > 0), photo.image_id):
            self._results.append(result)
        if self._annotations is None:
            return
        self._annotations["images"].append(entry)
        for person in coco_people(clear, photo.image_id, (height, width), self._next_id):
            self._annotations["annotations"].append(person)
            self._next_id += 1
