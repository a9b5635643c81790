"""Measures what an image with many people costs: python many_people.py FOLDER NAME...

Prints, for each of some NAMEs of `TASKS`, one JSON object a line: steps of Python
for a few people and for four times as many; and at last, after a task with all of them, the
greatest memory of the process in MB.
"""

import json
import sys
from pathlib import Path

import numpy as np
from peak_memory import peak
from work_done import steps

PEOPLE = 1200
FEW = 40
"""Counting takes much longer than the work itself."""
SIDE = 1344


def boxes(count: int, side: int = SIDE) -> np.ndarray:
    """(N, 4) xyxy of 10 to 40 pixels."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, side - 40, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(10, 40, (count, 2))], 1).astype(np.float32)


def write_files(count: int, folder: Path, num_keypoints: int = 17) -> None:
    """A ground truth of one image with so many people, their results, peaks and boxes."""
    from annotation_files import PERSON

    x1, y1, x2, y2 = boxes(count).astype(float).T
    rows = np.random.default_rng(1).uniform(0, 1, (count, num_keypoints, 2))
    places = np.stack([x1, y1], 1)[:, None] + rows * np.stack([x2 - x1, y2 - y1], 1)[:, None]
    flat = np.concatenate([places, np.full((count, num_keypoints, 1), 2)], 2).reshape(count, -1)
    xywh = np.stack([x1, y1, x2 - x1, y2 - y1], 1).tolist()
    ids = {"image_id": 1, "category_id": 1}
    people = [
        {"id": i, "iscrowd": 0, "area": box[2] * box[3], "bbox": box, "keypoints": row} | ids
        for i, (box, row) in enumerate(zip(xywh, flat.tolist(), strict=True), 1)
    ]
    image = {"id": 1, "file_name": "1.png", "height": SIDE, "width": SIDE}
    contents = {
        "truth": {"images": [image], "annotations": people, "categories": [PERSON]},
        "keypoints": [ids | {"keypoints": row, "score": 0.5} for row in flat.tolist()],
        "boxes": [ids | {"bbox": box, "score": 0.5} for box in xywh],
        "peaks": {"images": [{"image_id": 1, "peaks": {"nose": _peaks(3000), "left_eye": []}}]},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "val").mkdir(exist_ok=True)
    (folder / "annotations/person_keypoints_val.json").write_text(json.dumps(contents["truth"]))


def _peaks(count: int) -> list[list[float]]:
    places = np.random.default_rng(2).uniform(0, SIDE, (count, 2))
    return np.column_stack([places, np.full(count, 0.5)]).tolist()


def script(name: str, *words) -> None:
    """Runs a script that must end with 0."""
    from script_runs import run_script

    done = run_script(name, *words)
    assert done.code == 0, done.err


def detector_targets(count: int, folder: Path) -> None:
    """Targets of the detector on COCO's largest canvas, half of the people as crowds."""
    from multiposenet.anchors import anchor_targets, make_anchors

    anchor_targets(make_anchors((SIDE, SIDE)), boxes(count)[::2], boxes(count)[1::2])


def ssd_targets(count: int, folder: Path) -> None:
    """Targets of SSD512, likewise."""
    from topdown.default_boxes import make_default_boxes
    from topdown.ssd_targets import ssd_targets

    ssd_targets(make_default_boxes(512), boxes(count, 512)[::2], boxes(count, 512)[1::2])


def keypoint_targets(count: int, folder: Path) -> None:
    """Heatmaps and masks of everybody."""
    from posekit.datasets.coco import load_coco
    from posekit.heatmaps import encode_heatmaps

    write_files(count, folder)
    data = load_coco(folder, "val")
    encode_heatmaps(data.annotations(0)["keypoints"], (480, 480), 4)
    data.masks(0)


def plateau(count: int, folder: Path) -> None:
    """Peaks of constant maps, and of maps with 3,072 of them each."""
    import tensorflow as tf

    from posekit.graph_peaks import find_peaks_in_graph
    from posekit.peaks import find_peaks

    maps = np.zeros((64 * count // PEOPLE, 192, 17), np.float32)
    maps[::2, ::2] = 0.5
    for one in (maps, np.full_like(maps, 0.5)):
        found = find_peaks(one, 4)
        graph = find_peaks_in_graph(tf.constant(one[None]), 4)[0]
        assert found.shape == graph.shape == (17, 64, 3)
        assert (found[..., 2] > 0).sum(axis=1).max() == (64 if one is maps else 1)


def topdown(count: int, folder: Path) -> None:
    """A pose in each box."""
    from tiny_topdown import random_network

    from topdown.prediction import TopDownPredictor

    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    TopDownPredictor(random_network()).predict([image], [boxes(count)])


def grouping(count: int, folder: Path) -> None:
    """Peaks and boxes of files, of which the best so many are taken."""
    write_files(count, folder)
    files = "--peaks", folder / "peaks.json", "--boxes", folder / "boxes.json"
    script("group", *files, "--output", folder / "grouped.json")
    assert len(json.loads((folder / "grouped.json").read_text())) <= 100


def prn_evaluation(count: int, folder: Path) -> None:
    """Everybody's keypoints are candidates for everybody, so a quarter of the people suffices."""
    write_files(count // 4, folder)
    script("eval_prn", "--data", folder / "truth.json", "--prior", folder / "truth.json")


def evaluations(count: int, folder: Path) -> None:
    """Keypoints and boxes of everybody against everybody."""
    write_files(count, folder)
    for name, results in (("coco", "keypoints"), ("coco", "boxes"), ("boxes", "boxes")):
        files = "--annotations", folder / "truth.json", "--results", folder / f"{results}.json"
        script(f"eval_{name}", *files, "--json")


TASKS = {
    task.__name__: task
    for task in (detector_targets, ssd_targets, keypoint_targets, plateau, topdown, grouping)
    + (prn_evaluation, evaluations)
}


def main() -> None:
    """Runs some tasks with everybody, then counts."""
    folder, *names = sys.argv[1:]
    for name in names:
        TASKS[name](PEOPLE, Path(folder))
        counts = [_steps(TASKS[name], count, Path(folder)) for count in (FEW, 4 * FEW)]
        print(json.dumps({"task": name, "steps": counts}), flush=True)
    print(peak() // 1024)


def _steps(task, count: int, folder: Path) -> int:
    return steps(lambda: task(count, folder))


if __name__ == "__main__":
    main()
