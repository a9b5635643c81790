"""S1: model files that run code, read others or fill the memory are refused at every door."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hostile_models import write_hostile
from script_runs import run_script

from multiposenet.model import load_multiposenet
from multiposenet.prn_files import load_prn
from posekit.datasets.synthetic import write_coco
from posekit.model_files import KERAS_CLASSES, OUR_CLASSES, kind_of_model
from posekit.model_loading import load_model
from posekit.skeletons import COCO
from topdown.detector import PersonDetector
from topdown.prediction import load_topdown
from tracking.flownet import load_flow_network

ROOT = Path(__file__).parents[2]
REASONS = {
    "foreign module": "'evil_module' 'Evil'",
    "our name": "'evil_module' 'Evil', registered as 'topdown>PoseReading'",
    "reads a model": "'keras.layers' 'TFSMLayer'",
    "fetches": "'keras.utils' 'get_file'",
    "without module": "the class None 'PoseReading'|the class None",
    "wide": "expected the weights of its layers, received fewer",
    "external link": "received ExternalLink",
    "soft link": "received SoftLink",
    "external values": "numbers that are all in the file",
    "virtual": "numbers that are all in the file",
    "absent values": r"the shape \(2147483648,\) in 0 bytes",
    "packed values": "unpacked, received",
    "lambda.keras": "'__lambda__'",
    "lambda.h5": "not a zip file",
    "lambda in h5.keras": "not a zip file",
    "config bomb.keras": "members of",
    "weights bomb.keras": "packed in",
    "another member.keras": "a member 'assets/a'",
    "a folder.keras": "directory|missing",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Hostile files, a photo and a data set, with $CANARY; $CANARY is what no file may make."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANARY", str(folder / "canary"))
        patch.syspath_prepend(folder)
        files = write_hostile(folder)
        assert set(files) == set(REASONS)
        cv2.imwrite(str(folder / "photo.png"), np.zeros((60, 80, 3), np.uint8))
        write_coco(folder / "coco", "val", 2, size=(48, 64))
        write_voc(folder / "voc")
        yield folder, files


def write_voc(folder):
    for name in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (folder / name).mkdir(parents=True)
    (folder / "ImageSets/Segmentation/val.txt").write_text("2007_000001")


def reset_peak():
    Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1000


LOADERS = {
    "kind": kind_of_model,
    "MultiPoseNet": load_multiposenet,
    "top-down": load_topdown,
    "SSD": PersonDetector,
    "PRN": lambda path: load_prn(path, COCO),
    "flow": load_flow_network,
}


@pytest.mark.parametrize("case", REASONS)
def test_s1_hostile_model_files_are_refused_by_every_loader(case, place):
    folder, files = place
    for name, load in LOADERS.items():
        if name == "kind" and case in HARMLESS_UNTIL_LOADED:
            continue  # it makes nothing of the file
        reset_peak()
        before = peak_megabytes()
        # Loaders of other networks need not look further than at what kind it is.
        reason = REASONS[case] if name == "top-down" else f"{REASONS[case]}|of kind topdown"
        with pytest.raises(ValueError, match=reason) as refused:
            load(files[case])
        assert refused.value.exit_code == 2, name
        assert not (folder / "canary").exists() and peak_megabytes() - before < 50, name


HARMLESS_UNTIL_LOADED = {"wide", "soft link", "virtual", "external link", "external values"}
HARMLESS_UNTIL_LOADED |= {"absent values", "packed values"}


def doors(folder, file):
    """Command lines with the hostile file at every place that takes a model."""
    photo, coco, out = folder / "photo.png", ("--data", folder / "coco"), folder / "out"
    data, video = (*coco, "--split", "val"), folder / "coco" / "val"
    good = ("--topdown", "--model", folder / "good.keras")
    train = ("--data", folder / "coco", "--train-split", "val", "--val-split", "val")
    return {
        "predict": ("predict", photo, "--model", file, "--output", out),
        "predict, crops": ("predict", photo, "--topdown", "--model", file, "--output", out),
        "predict, boxes": ("predict", photo, *good, "--detector", file, "--output", out),
        "detect": ("detect", *data, "--model", file, "--output", folder / "boxes.json"),
        "eval_coco": ("eval_coco", file, *data),
        "eval_voc": ("eval_voc", file, "--data", folder / "voc"),
        "eval_prn": ("eval_prn", file, *data),
        "explain_prn": ("explain_prn", file, *data),
        "export": ("export", file, "--output", out),
        "join": ("join", file, file, file, "--output", out / "joined.keras"),
        "extract": ("extract_backbone", file, out / "backbone.npz"),
        "halve": ("save_half", file, out / "half.keras"),
        "track": ("track", video, "--model", file, "--output", out),
        "track, boxes": ("track", video, *good, "--detector", file, "--output", out),
        "track, flow": ("track", video, *good, "--flow", file, "--output", out),
        "train_topdown": ("train_topdown", "small", "--init", file, *train, "--output", out),
        "train_detector": ("train_detector", "--keypoint-run", file, *train, "--output", out),
    }


@pytest.mark.parametrize("door", doors(Path(), Path()))
def test_s1_hostile_model_files_are_refused_at_every_door(door, place):
    folder, files = place
    for case in ("lambda.keras", "external link"):
        name, *words = doors(folder, files[case])[door]
        done = run_script(name, *words)
        assert done.code == 2 and not done.out, (case, done)
        assert files[case].name in done.err and "Traceback" not in done.err, (case, done.err)
        assert "--help" not in done.err, (case, done.err)
    assert not (folder / "canary").exists()


def test_s1_our_layers_are_all_known_and_load(place):
    folder, _ = place
    assert load_model(folder / "good.keras").count_params() > 0
    known = KERAS_CLASSES["keras.layers"] | {"Layer", "Lambda"}  # Lambda: in training alone
    names, registered = set(), 0
    for path in (p for room in OUR_ROOMS for p in (ROOT / room).rglob("*.py")):
        text = path.read_text()
        names |= set(re.findall(r"\blayers\.([A-Z]\w+)\(", text))
        registered += text.count("@keras.saving.register_keras_serializable")
    assert names <= known and registered == len(OUR_CLASSES)


OUR_ROOMS = ("posekit", "multiposenet", "topdown", "tracking")
