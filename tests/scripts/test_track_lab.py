import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posekit.datasets.synthetic_posetrack import DrawnVideos, write_posetrack
from posekit.video.reading import open_video

SCRIPT = Path(__file__).parents[2] / "scripts" / "track_lab.py"
VIDEOS = DrawnVideos(sequences=1, frames=6, size=(96, 128), people=(3, 4))


def run(*words, cwd):
    command = [sys.executable, SCRIPT, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    write_posetrack(folder / "data", "val", VIDEOS)
    return folder


def test_two_rows(root):
    rows = "simple-baselines-a1", "mdpn-tracks"
    done = run(
        *rows, "--data", "data", "--frontier", "simple-baselines-a1", "--videos", "1", cwd=root
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout.splitlines()
    assert len(table) == 4 and "| 66.0 | 57.6 |" in table[2] and "| 61.5 | 52.6 |" in table[3]
    out = root / "runs" / "track_lab"
    assert (out / "table.md").read_text() == done.stdout
    assert [line["row"] for line in json.loads((out / "rows.json").read_text())] == list(rows)
    assert (out / "frontier-simple-baselines-a1.png").stat().st_size > 5000
    assert (out / "mdpn-tracks" / "000001_mpii_drawn.json").is_file()
    assert len(list(open_video(out / "mdpn-tracks" / "000001_mpii_drawn.mp4").frames())) == 6


def test_damaged_pictures_are_named_and_limited(root):
    shutil.copytree(root / "data", root / "damaged")
    [picture] = (root / "damaged").glob("images/val/*/000002.*")
    picture.write_bytes(b"")
    words = "simple-baselines-a1", "--data", "damaged", "--flow", "dis", "--videos", "1"
    done = run(*words, "--output", "named", cwd=root)
    assert done.returncode == 3 and "| 66.0 | 57.6 |" in done.stdout
    assert f"damaged, without people: {picture.relative_to(root / 'damaged')}: " in done.stderr
    [line] = (root / "named" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(line)["path"].endswith(picture.name)
    assert run(*words, "--bad-images", 0.2, "--output", "fewer", cwd=root).returncode == 0


def test_rows_are_listed_and_wrong_words_refused(root):
    listed = run("--list", cwd=root)
    assert listed.returncode == 0 and len(listed.stdout.splitlines()) == 31
    for words, said in (
        (("b7",), "received b7"),
        (("--data", "nowhere"), "received nowhere"),
        (("--model", SCRIPT), "--data and --boxes"),
        (("--gate", "2", "--data", "data"), "0 to 1"),
        (("--data", "data", "--split", "test"), "found none"),
    ):
        done = run(*words, cwd=root)
        assert done.returncode == 2 and said in done.stderr, (words, done.stderr)


def test_with_a_network_in_given_boxes(root):
    from posekit.datasets.posetrack import load_posetrack
    from posekit.detections import Detections, write_detections

    dataset = load_posetrack(root / "data", "val")
    boxes = [dataset.annotations(i)["boxes"] for i in range(len(dataset))]
    ids = [i for i, found in zip(dataset.image_ids, boxes, strict=True) for _ in found]
    flat = [box for found in boxes for box in found]
    write_detections(root / "boxes.json", Detections(ids, flat, [0.9] * len(flat)))
    model = SCRIPT.parents[1] / "pretrained" / "topdown-mobilenetv2.keras"
    words = "simple-baselines-a5", "--data", "data", "--model", model, "--boxes", "boxes.json"
    done = run(*words, "--flow", "dis", "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["mAP"] > 3
    kept = list((root / "runs" / "track_lab_cache" / "poses").glob("*.npz"))
    assert len(kept) == 1
