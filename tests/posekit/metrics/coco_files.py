"""Small COCO files for the tests, and pycocotools run on them the plain way."""

import contextlib
import copy
import io
import json

import numpy as np
from pycocotools.coco import COCO as CocoApi
from pycocotools.cocoeval import COCOeval

from posekit.skeletons import COCO

CATEGORY = {"id": 1, "name": "person", "keypoints": list(COCO.names)}


def person(number, image_id, seed, size=100.0, **fields):
    """One annotation: 17 labelled keypoints in a box, half as high again as the given width."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 300, 2)
    points = corner + rng.uniform(0, 1, (17, 2)) * [size, 1.5 * size]
    points = np.concatenate([points, np.full((17, 1), 2)], axis=1)
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [*corner.tolist(), size, 1.5 * size],
        "area": size * size / 2,
        "iscrowd": 0,
        "keypoints": points.ravel().tolist(),
        "num_keypoints": 17,
        **fields,
    }


def truth(*people, images=(1, 2, 3), categories=(CATEGORY,)):
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 480, "width": 640} for i in images],
        "annotations": copy.deepcopy(list(people)),
        "categories": list(categories),
    }


def random_truth(rng, num_images=12):
    """People of all sizes: some crowds, some without labelled keypoints, images without anybody."""
    people = []
    for i in range(num_images):
        for _ in range(rng.integers(0, 6)):
            number = len(people) + 1
            one = person(number, 100 + 7 * i, rng.integers(1 << 30), float(rng.uniform(10, 200)))
            kind = rng.random()
            if kind < 0.1:
                one["iscrowd"] = 1
            elif kind < 0.3:
                one |= {"keypoints": [0] * 51, "num_keypoints": 0}
            people.append(one)
    return truth(*people, images=[100 + 7 * i for i in range(num_images)])


def random_results(rng, content, kind, false=3):
    """Scattered copies of the people and some false ones; scores differ."""
    entries = []
    for one in content["annotations"]:
        shown = one if rng.random() < 0.9 else person(0, one["image_id"], rng.integers(1 << 30))
        noise = rng.normal(0, one["area"] ** 0.5 * 0.05, 51 if kind == "keypoints" else 4)
        values = (np.array(shown[kind]) + noise).clip(0.1)
        entries.append(entry(one["image_id"], values.tolist(), float(rng.random()), kind))
    images = [image["id"] for image in content["images"]]
    for _ in range(false):
        values = person(0, 0, rng.integers(1 << 30))[kind]
        entries.append(entry(int(rng.choice(images)), values, float(rng.random()), kind))
    return entries


def entry(image_id, values, score, kind="keypoints"):
    return {"image_id": image_id, "category_id": 1, kind: values, "score": score}


def perfect(content, kind):
    """The people that count, as results."""
    counts = [
        one
        for one in content["annotations"]
        if not one["iscrowd"] and (kind == "bbox" or one["num_keypoints"])
    ]
    return [entry(one["image_id"], one[kind], 0.9, kind) for one in counts]


def pycocotools_stats(content, entries, kind):
    """The stats of a direct COCOeval run."""
    with contextlib.redirect_stdout(io.StringIO()):
        api = CocoApi()
        api.dataset = copy.deepcopy(content)
        api.createIndex()
        evaluation = COCOeval(api, api.loadRes(copy.deepcopy(entries)), kind)
        evaluation.params.catIds = [1]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist()


def write(folder, content, entries):
    """Writes both files, also what no JSON writer of ours would write (NaN)."""
    paths = folder / "truth.json", folder / "results.json"
    for path, value in zip(paths, (content, entries), strict=True):
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    return paths
