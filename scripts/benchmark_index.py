"""Measure time and memory of indexing annotations of the size of all COCO train2017.

python scripts/benchmark_index.py --people coco_train2017_person_keypoints.npz

Writes a COCO file with those people, a polygon of 20 to 40 points for each (which the .npz lacks)
and the image entries of the real file into a temporary folder, loads it in a process of its own
and prints seconds and peak memory. Linux only.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tyro

from posekit.commands import run

_LOAD = """
import sys, time
from posekit.datasets.coco import load_coco
start = time.perf_counter()
data = load_coco(sys.argv[1], "train2017")
seconds = time.perf_counter() - start
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(f"{len(data)} images, {data.report['people']} people: {seconds:.1f} s, "
      f"peak memory {int(peak) / 1024**2:.2f} GiB (targets: 60 s, 2 GB)")
"""


@dataclasses.dataclass(frozen=True)
class Index:
    """Sizes of the file that is written and read."""

    people: Path
    """.npz with image_id (A,), bbox (A, 4) xywh, keypoints (A, 17, 3), image_wh (A, 2)."""
    without_keypoints: int = 112_652
    """People without keypoints to add, as many as the real file has."""
    without_people: int = 61_688
    """Images without annotated people to add."""


def main() -> None:
    """Writes the file, loads it and prints the result."""
    settings = tyro.cli(Index, description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        annotations = Path(folder, "annotations")
        annotations.mkdir()
        Path(folder, "train2017").mkdir()
        file = annotations / "person_keypoints_train2017.json"
        with file.open("w") as stream:
            stream.writelines(_coco_text(settings))
        print(f"{file.stat().st_size / 1e6:.0f} MB of JSON", flush=True)
        subprocess.run([sys.executable, "-c", _LOAD, folder], check=True)


def _coco_text(settings: Index) -> Iterator[str]:
    from posekit.skeletons import COCO

    people = np.load(settings.people, allow_pickle=False)
    people = {key: people[key] for key in ("image_id", "bbox", "keypoints", "image_wh")}
    image_ids, first = np.unique(people["image_id"], return_index=True)
    sizes = np.concatenate([people["image_wh"][first], [[640, 480]] * settings.without_people])
    image_ids = np.append(image_ids, 10_000_000 + np.arange(settings.without_people))
    limbs = [[a + 1, b + 1] for a, b in COCO.limbs]
    category = {"id": 1, "name": "person", "keypoints": COCO.names, "skeleton": limbs}
    yield '{"info": {"year": 2017}, "licenses": [], "images": [\n'
    for i, (image_id, (width, height)) in enumerate(zip(image_ids, sizes.tolist(), strict=True)):
        yield ", " * (i > 0) + json.dumps(_image(int(image_id), width, height))
    yield '],\n"annotations": [\n'
    for i, person in enumerate(_people(people, settings.without_keypoints)):
        yield ", " * (i > 0) + json.dumps(person)
    yield f'],\n"categories": [{json.dumps(category)}]}}\n'


def _image(image_id: int, width: int, height: int) -> dict[str, object]:
    name = f"{image_id:012d}.jpg"
    return {
        "license": 3,
        "file_name": name,
        "coco_url": f"http://images.cocodataset.org/train2017/{name}",
        "height": height,
        "width": width,
        "date_captured": "2013-11-14 11:18:45",
        "flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg",
        "id": image_id,
    }


def _people(people: dict[str, np.ndarray], without_keypoints: int) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(0)
    count = len(people["image_id"])
    for i in range(count + without_keypoints):
        row = i % count
        x, y, width, height = people["bbox"][row].astype(float)
        keypoints = people["keypoints"][row] * (i < count)
        angles = np.linspace(0, 2 * np.pi, rng.integers(20, 41), endpoint=False)
        radii = 0.5 * rng.uniform(0.5, 1, (len(angles), 1))
        outline = 0.5 + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        polygon = np.round(outline * [width, height] + [x, y], 2)
        yield {
            "segmentation": [polygon.ravel().tolist()],
            "num_keypoints": int((keypoints[:, 2] > 0).sum()),
            "area": round(0.4 * width * height, 4),
            "iscrowd": 0,
            "keypoints": keypoints.ravel().tolist(),
            "image_id": int(people["image_id"][row]),
            "bbox": np.round([x, y, width, height], 2).tolist(),
            "category_id": 1,
            "id": 100_000 + i,
        }


if __name__ == "__main__":
    run(main)
