import dataclasses
import json

import pytest

from posekit.datasets.coco import DatasetError
from topdown.ssd_recipes import SSD_RECIPES
from topdown.train_ssd import open_splits


def write(root, split, people):
    """Images 1, 2, ...; each with the `iscrowd` of its people."""
    (root / split).mkdir(parents=True)
    images = [
        {"id": i, "file_name": f"{i}.jpg", "width": 60, "height": 50}
        for i in range(1, len(people) + 1)
    ]
    fields = {"category_id": 1, "bbox": [5, 5, 20, 30], "area": 600.0, "keypoints": [0] * 51}
    annotations = [
        {"image_id": i, "iscrowd": crowd} | fields
        for i, crowds in enumerate(people, 1)
        for crowd in crowds
    ]
    annotations = [{"id": n} | one for n, one in enumerate(annotations)]
    category = {"id": 1, "name": "person"}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (root / "annotations").mkdir(exist_ok=True)
    file = root / "annotations" / f"person_keypoints_{split}.json"
    file.write_text(json.dumps(content))


def test_images_without_people_are_not_trained_on(tmp_path):
    write(tmp_path, "train", [[], [0], [1], [1, 0], [], [0, 0]])
    write(tmp_path, "val", [[], [0]])
    word = f"coco:{tmp_path}"
    recipe = dataclasses.replace(
        SSD_RECIPES["ssd300-coco"][1],
        datasets=(f"{word}:train", f"{word}:val"),
        val_dataset=f"{word}:val",
        train_images=2,
    )
    train, held_out = open_splits(recipe)
    assert train.image_ids.tolist() == [2, 4, 2] and held_out.image_ids.tolist() == [1, 2]
    write(tmp_path, "empty", [[], [1]])
    with pytest.raises(DatasetError, match="empty.json: expected people to train on"):
        open_splits(dataclasses.replace(recipe, datasets=(f"{word}:empty",)))
