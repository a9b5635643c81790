"""The rows of MDPN in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Row, Table, figures

_ALL = "--datasets $COCO_TRAIN $MPII $PT18 --val-datasets $COCO_VAL $MPII:valid $PT18:val"
_NEEDS = {"$COCO_TRAIN": "COCO", "$MPII": "MPII's images", "$PT18": "PoseTrack 2018"}
_BOXES = "their detectors' boxes"
_PARTS = "Wrist Ankle Total"
_JOINTS = "Head Shou Elb Wri Hip Knee Ankl Total"
_VOTE = " --heads coco mpii posetrack --combination vote"


def _row(
    row: str,
    label: str,
    published: dict,
    training: str,
    reading: str = "",
    recipe: str = "mdpn-a",
    data: str = "posetrack18:minval",
) -> Row:
    """A network with its options, and a row of the laboratory with it, read in this way."""
    name = training.split()[0]
    run = f"runs/topdown-{name}" + ("/heads" if name in ("mdpn-r50", "mdpn-r152") else "")
    folder, split = data.split(":")
    flow = "none" if recipe.startswith("mdpn-a") or "no-flow" in recipe else "flownet2s.keras"
    commands = (
        f"train_topdown.py {training}",
        f"track_lab.py {recipe} --data data/{folder} --split {split} --model {run}/best.keras "
        f"--boxes boxes.json --flow {flow}{reading}",
    )
    words = " ".join(commands).replace("data/posetrack18", "$PT18")
    needs = [needed for kind, needed in _NEEDS.items() if kind in words]
    needs += ["PoseTrack 2017"] if folder == "posetrack17" else []
    needs += ["FlowNet2-S's weights"] if flow != "none" else []
    needs += [_BOXES, "PoseTrack's server for test"] if split == "test" else [_BOXES]
    return Row(f"mdpn-{row}", label, published, commands, needs=tuple(needs))


def _strategy(row: str, label: str, training: str, *values: float, how: str = "") -> Row:
    return _row(f"1-{row}", label, figures(_PARTS, *values), f"mdpn-{training}", how)


_ALPHAPOSE = "PoseTrack 2018", "poses of AlphaPose"
_OTHERS = "combination and rescoring of poses from a file"
_TABLE_1_LEFT = Table(
    "Table 1, left. Training on several data sets, PoseTrack 2018 min-val, mAP",
    "R50, 256x192, without skip. min-val: 15 of the validation sequences, in the commands every "
    "fifth by name. What follows an arrow starts from the run of the COCO row. boxes.json holds "
    "the merged boxes of detectors (`detect.py --kind posetrack`, `merge_detections.py`).",
    (
        _strategy("mpii", "MPII", "mpii --datasets $MPII --val-split valid", 58.3, 49.1, 58.7),
        _strategy(
            "coco", "COCO", "coco --datasets $COCO_TRAIN --val-split val2017", 70.8, 59.2, 68.4
        ),
        _strategy("posetrack", "PoseTrack", "posetrack --datasets $PT18", 53.9, 43.2, 55.5),
        _strategy(
            "coco-posetrack",
            "COCO → PoseTrack",
            "coco-posetrack --datasets $PT18",
            *(67.5, 56.4, 66.8),
        ),
        _strategy(
            "coco-posetrack-mpii",
            "COCO → PoseTrack + MPII",
            "coco-posetrack-mpii --datasets $PT18 $MPII --val-datasets $PT18:val",
            *(68.5, 57.1, 68.0),
        ),
        _strategy("mixed", "Mixed", f"mixed {_ALL}", 67.1, 52.5, 66.3),
        _strategy("b-joint", "MDPN-B w/o FT", f"r50-joint {_ALL}", 68.4, 53.7, 67.7, how=_VOTE),
        _strategy("b", "MDPN-B", f"r50 {_ALL}", 71.8, 56.9, 70.7, how=_VOTE),
    ),
)
_TABLE_1_RIGHT = Table(
    "Table 1, right. Which heads are read, PoseTrack 2018 min-val, mAP",
    "MDPN-B without fine-tuning, the same network in all rows.",
    tuple(
        _row(
            f"1-read-{row}",
            label,
            figures(_PARTS, *values),
            f"mdpn-r50-joint {_ALL}",
            f" {reading}",
        )
        for row, label, reading, *values in (
            ("coco", "COCO branch", "--heads coco --head interpolate", 68.8, 54.6, 66.0),
            ("posetrack", "PoseTrack branch", "--heads posetrack", 68.0, 52.9, 66.7),
            ("coco-posetrack", "COCO + PoseTrack branch")
            + ("--heads coco posetrack", 69.1, 54.6, 67.4),
            ("a", "COCO + MPII branch (A)", "--heads coco mpii") + (69.0, 54.7, 67.7),
            ("b", "Voting (B)", _VOTE.strip(), 68.4, 53.7, 67.7),
        )
    ),
)
_TABLE_2 = Table(
    "Table 2. Post-processing, PoseTrack 2018 min-val",
    "One network in all rows, R50; left poses (mAP), right tracks (with *). The rows are also run "
    "on drawn videos with simulated networks, see the README.",
    tuple(
        _row(f"2-{row}", label, {"mAP": value}, f"mdpn-r50 {_ALL}", recipe=f"mdpn-{row}")
        for row, label, value in (
            ("a", "MDPN-A", 70.7),
            ("a-no-gaussian", "w/o Gaussian filter", 70.3),
            ("a-no-offset", "w/o quarter offset", 70.5),
            ("a-no-box-threshold", "w/o box threshold", 70.0),
            ("a-no-oks-nms", "w/o OKS-NMS", 51.2),
            ("a-no-rescoring", "w/o box re-score", 70.2),
        )
    )
    + tuple(
        _row(
            f"2-{row}",
            label,
            figures("mAP MOTA", *values),
            f"mdpn-r50 {_ALL}",
            recipe=f"mdpn-{row}",
        )
        for row, label, *values in (
            ("tracks", "MDPN-A*", 61.5, 52.6),
            ("tracks-no-box-threshold", "w/o box threshold*", 61.5, 46.0),
            ("tracks-no-keypoint-threshold", "w/o keypoint threshold*", 67.6, 28.3),
            ("tracks-no-pruning", "w/o track-let pruning*", 61.7, 52.3),
            ("tracks-no-flow", "w/o flow track*", 61.4, 52.2),
        )
    ),
)
_TABLE_3 = Table(
    "Table 3. Poses, PoseTrack 2017 and 2018 validation, mAP",
    "* with tracking. Four lines of others are left out. Of MDPN-50-B the paper "
    "states neither size nor skip: the recipe is that of Table 1.",
    tuple(
        _row(
            f"3-{row}",
            label,
            figures(_JOINTS, *values),
            f"{name} {_ALL}",
            reading,
            "mdpn-tracks" if "tracks" in row else "mdpn-a",
            f"posetrack{row[-2:]}:val",
        )
        for row, label, name, reading, *values in (
            ("152-a-val17", "MDPN-152-A, val17", "mdpn-r152", "")
            + (85.2, 88.5, 83.9, 77.5, 79.0, 77.0, 71.4, 80.7),
            ("152-a-tracks-val17", "MDPN-152-A*, val17", "mdpn-r152", "")
            + (79.8, 84.8, 78.6, 71.7, 74.8, 72.3, 67.5, 75.8),
            ("50-b-val18", "MDPN-50-B, val18", "mdpn-r50", _VOTE)
            + (72.6, 75.7, 75.8, 69.7, 72.1, 70.2, 65.4, 71.7),
            ("152-b-val18", "MDPN-152-B, val18", "mdpn-r152", _VOTE)
            + (76.6, 77.9, 76.0, 69.8, 68.6, 70.9, 67.0, 72.7),
            ("152-a-val18", "MDPN-152-A, val18", "mdpn-r152", "")
            + (75.4, 81.2, 79.0, 74.1, 72.4, 73.0, 69.9, 75.0),
            ("152-a-tracks-val18", "MDPN-152-A*, val18", "mdpn-r152", "")
            + (72.4, 79.0, 75.3, 69.6, 69.2, 69.2, 66.7, 71.7),
        )
    )
    + (
        Row(
            "mdpn-3-alphapose-val18",
            "AlphaPose++, val18",
            figures(_JOINTS, 71.9, 79.7, 78.3, 71.7, 74.3, 73.3, 70.1, 74.0),
            needs=_ALPHAPOSE,
            missing=_OTHERS,
        ),
    ),
)
_TABLE_4 = Table(
    "Table 4. Tracking, PoseTrack 2017 and 2018 validation, MOTA",
    "Three lines of others are left out.",
    tuple(
        _row(
            f"4-152-a-{split}",
            f"MDPN-152-A*, {split}",
            figures(f"{_JOINTS} MOTP precision recall", *values),
            f"mdpn-r152 {_ALL}",
            recipe="mdpn-tracks",
            data=f"posetrack{split[-2:]}:val",
        )
        for split, *values in (
            ("val17", 71.6, 76.7, 68.6, 60.6, 64.4, 62.6, 54.3, 66.0, 85.6, 87.2, 79.1),
            ("val18", 50.9, 55.5, 54.0, 49.0, 48.7, 50.5, 45.1, 50.6, 85.7, 74.0, 80.3),
        )
    ),
)
_TABLE_5 = Table(
    "Table 5. PoseTrack ECCV 2018 challenge",
    "Ten lines of others are left out, among them those with more training data.",
    (
        _row(
            "5-mdpn",
            "MDPN",
            figures("Wrist Ankle mAP", 74.5, 69.0, 76.4),
            f"mdpn-r152 {_ALL}",
            data="posetrack18:test",
        ),
        _row(
            "5-mdpn-tracks",
            "MDPN*",
            figures("Wrist Ankle mAP MOTA", 69.5, 66.1, 72.6, 58.5),
            f"mdpn-r152 {_ALL}",
            recipe="mdpn-tracks",
            data="posetrack18:test",
        ),
        Row(
            "mdpn-5-alphapose",
            "AlphaPose++",
            figures("Wrist Ankle mAP", 66.2, 65.0, 67.6),
            needs=_ALPHAPOSE,
            missing=_OTHERS,
        ),
    ),
)

MDPN_TABLES = (_TABLE_1_LEFT, _TABLE_1_RIGHT, _TABLE_2, _TABLE_3, _TABLE_4, _TABLE_5)
