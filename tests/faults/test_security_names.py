"""S5: file names in annotations stay inside the folder of the data set."""

import json

import cv2
import numpy as np
import pytest
from annotation_files import SIZE, good_truth, mpii_complete, mpii_usual, posetrack17, posetrack18
from script_runs import run_script

from multiposenet.voc_folder import VocFolder
from posekit.datasets.coco import load_coco
from posekit.datasets.mpii import load_mpii
from posekit.datasets.posetrack import load_posetrack
from posekit.datasets.posetrack_files import read_sequence
from posekit.datasets.voc_boxes import load_voc_boxes

XML = "<annotation><size><width>64</width><height>48</height></size></annotation>"
NAMES = {
    "up": "../outside.png",
    "up inside": "a/../../outside.png",
    "absolute": "{root}/outside.png",
    "up, Windows": "..\\outside.png",
    "drive": "C:\\outside.png",
    "share": "\\\\server\\outside.png",
    "zero byte": "outside.png\0.jpg",
    "empty": "",
}


def coco(folder, name):
    truth = good_truth()
    truth["images"][1]["file_name"] = name
    write(folder / "annotations/person_keypoints_val.json", truth)
    (folder / "val").mkdir()
    return load_coco(folder, "val")


def mpii(entries, field):
    def load(folder, name):
        people = entries()
        people[0][field] = name
        write(folder / "annot/valid.json", people)
        (folder / "images").mkdir()
        return load_mpii(folder, "valid", headers=False)

    return load


def posetrack(folder, name, content=posetrack18):
    frames = content()
    if "annolist" in frames:
        frames["annolist"][0]["image"] = [{"name": name}]
    else:
        frames["images"][0]["file_name"] = name
    write(folder / "annotations/val/a.json", frames)
    with pytest.raises(ValueError, match="file_name: expected"):
        read_sequence(folder / "annotations/val/a.json")  # as predictions and the laboratory do
    return load_posetrack(folder, "val", headers=False)


def voc_boxes(folder, name):
    write(folder / "Annotations/a.xml", XML)
    write(folder / "ImageSets/Main/val.txt", f"a\n{name.removesuffix('.png')}\n")
    (folder / "JPEGImages").mkdir()
    return load_voc_boxes(folder, "val")


def voc_masks(folder, name):
    write(folder / "ImageSets/Segmentation/val.txt", f"a\n{name.removesuffix('.png')}\n")
    for part in ("JPEGImages", "SegmentationClass"):
        (folder / part).mkdir()
    return VocFolder(folder, "val")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


LOADERS = {
    "COCO": coco,
    "MPII, complete": mpii(mpii_complete, "img_paths"),
    "MPII, usual": mpii(mpii_usual, "image"),
    "PoseTrack18": posetrack,
    "PoseTrack17": lambda folder, name: posetrack(folder, name, posetrack17),
    "VOC boxes": voc_boxes,
    "VOC masks": voc_masks,
}


@pytest.fixture
def folder(tmp_path):
    """A data set's folder, beside a picture that is not its own."""
    cv2.imwrite(str(tmp_path / "outside.png"), np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize("case", NAMES)
@pytest.mark.parametrize("form", LOADERS)
def test_s5_names_that_lead_out_of_the_data_are_refused(form, case, folder):
    if form.startswith("VOC") and case == "empty":
        pytest.skip("an empty line of a list is no name")
    with pytest.raises(ValueError, match="expected (text|a path|plain ids|one new image id)"):
        LOADERS[form](folder, NAMES[case].format(root=folder.parent))


def test_s5_a_training_does_not_start_on_such_names(folder):
    with pytest.raises(ValueError):
        coco(folder, "../outside.png")
    words = ("--data", folder, "--train-split", "val", "--val-split", "val", "--output", folder)
    done = run_script("train_keypoint", *words, "--backbone-weights", "none")
    assert done.code == 2 and "images[1]" in done.err and "inside the folder" in done.err
    assert {path.name for path in folder.iterdir()} == {"annotations", "val"}
