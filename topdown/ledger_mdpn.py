"""The rows of MDPN in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Row, Table, figures

_ALL = "--datasets $COCO_TRAIN $MPII $PT18 --val-datasets $COCO_VAL $MPII:valid $PT18:val"
_NEEDS = {"$COCO_TRAIN": "COCO", "$MPII": "MPII's images", "$PT18": "PoseTrack 2018"}
_BOXES = "their detectors' boxes"
_PRECISION = "PoseTrack mAP"
_TRACKING = "flow-based tracking, PoseTrack mAP and MOTA"
_PARTS = "Wrist Ankle Total"
_JOINTS = "Head Shou Elb Wri Hip Knee Ankl Total"
_MATRIX = (
    "eval_matrix.py --networks pose={run}/best.keras --boxes detected=boxes.json --flip "
    "--tests $PT18:minval"
)
_A = f"{_MATRIX} --domains coco mpii --combination first"
_B = f"{_MATRIX} --combination vote"
_A_VAL, _B_VAL = (command.replace(":minval", ":val") for command in (_A, _B))


def _row(
    row: str,
    label: str,
    published: dict,
    training: str,
    missing: str = _PRECISION,
    evaluation: str = "",
) -> Row:
    """A row of a recipe with its options; `evaluation` is a command with a place for its run."""
    name = training.split()[0]
    run = f"runs/topdown-{name}" + ("/heads" if name in ("mdpn-r50", "mdpn-r152") else "")
    commands = (f"train_topdown.py {training}", *filter(None, [evaluation.format(run=run)]))
    needs = [words for kind, words in _NEEDS.items() if kind in " ".join(commands)]
    needs += ["PoseTrack 2017"] if row.endswith("val17") else []
    needs += [_BOXES, "PoseTrack's server for test"] if row.startswith("5") else [_BOXES]
    return Row(f"mdpn-{row}", label, published, commands, needs=tuple(needs), missing=missing)


def _strategy(row: str, label: str, training: str, *values: float, how: str = _MATRIX) -> Row:
    published = figures(_PARTS, *values)
    return _row(f"1-{row}", label, published, f"mdpn-{training}", evaluation=how)


_ALPHAPOSE = "PoseTrack 2018", "poses of AlphaPose"
_OTHERS = f"combination and rescoring of poses from a file, {_PRECISION}"
_TABLE_1_LEFT = Table(
    "Table 1, left. Training on several data sets, PoseTrack 2018 min-val, mAP",
    "R50, 256x192, without skip. min-val: 15 of the validation sequences, in the commands every "
    "fifth by name. What follows an arrow starts from the run of the COCO row. `eval_matrix.py` "
    "gives AP by OKS, not the paper's mAP.",
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
        _strategy("b-joint", "MDPN-B w/o FT", f"r50-joint {_ALL}", 68.4, 53.7, 67.7, how=_B),
        _strategy("b", "MDPN-B", f"r50 {_ALL}", 71.8, 56.9, 70.7, how=_B),
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
            evaluation=f"{_MATRIX} {reading}",
        )
        for row, label, reading, *values in (
            ("coco", "COCO branch", "--domains coco --head interpolate", 68.8, 54.6, 66.0),
            ("posetrack", "PoseTrack branch", "--domains posetrack", 68.0, 52.9, 66.7),
            ("coco-posetrack", "COCO + PoseTrack branch")
            + ("--domains coco posetrack --combination first", 69.1, 54.6, 67.4),
            ("a", "COCO + MPII branch (A)", "--domains coco mpii --combination first")
            + (69.0, 54.7, 67.7),
            ("b", "Voting (B)", "--combination vote", 68.4, 53.7, 67.7),
        )
    ),
)
_TABLE_2 = Table(
    "Table 2. Post-processing, PoseTrack 2018 min-val",
    "One network in all rows, R50; left poses (mAP), right tracks (with *).",
    tuple(
        _row(f"2-{row}", label, {"mAP": value}, f"mdpn-r50 {_ALL}", missing, f"{_A}{reading}")
        for row, label, value, reading, missing in (
            ("a", "MDPN-A", 70.7, "", _PRECISION),
            ("no-gaussian", "w/o Gaussian filter", 70.3, " --blur-sigma 0", _PRECISION),
            ("no-offset", "w/o quarter offset", 70.5, " --offset none", _PRECISION),
            ("no-box-threshold", "w/o box threshold", 70.0, " --box-threshold 0", _PRECISION),
            ("no-oks-nms", "w/o OKS-NMS", 51.2, " --oks-threshold 1", _PRECISION),
            ("no-rescoring", "w/o box re-score", 70.2, "", f"box scores alone, {_PRECISION}"),
        )
    )
    + tuple(
        _row(f"2-{row}", label, figures("mAP MOTA", *values), f"mdpn-r50 {_ALL}", _TRACKING)
        for row, label, *values in (
            ("tracks-a", "MDPN-A*", 61.5, 52.6),
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
        _row(f"3-{row}", label, figures(_JOINTS, *values), f"{name} {_ALL}", missing, reading)
        for row, label, name, reading, missing, *values in (
            ("152-a-val17", "MDPN-152-A, val17", "mdpn-r152", "", _PRECISION)
            + (85.2, 88.5, 83.9, 77.5, 79.0, 77.0, 71.4, 80.7),
            ("152-a-tracks-val17", "MDPN-152-A*, val17", "mdpn-r152", "", _TRACKING)
            + (79.8, 84.8, 78.6, 71.7, 74.8, 72.3, 67.5, 75.8),
            ("50-b-val18", "MDPN-50-B, val18", "mdpn-r50", _B_VAL, _PRECISION)
            + (72.6, 75.7, 75.8, 69.7, 72.1, 70.2, 65.4, 71.7),
            ("152-b-val18", "MDPN-152-B, val18", "mdpn-r152", _B_VAL, _PRECISION)
            + (76.6, 77.9, 76.0, 69.8, 68.6, 70.9, 67.0, 72.7),
            ("152-a-val18", "MDPN-152-A, val18", "mdpn-r152", _A_VAL, _PRECISION)
            + (75.4, 81.2, 79.0, 74.1, 72.4, 73.0, 69.9, 75.0),
            ("152-a-tracks-val18", "MDPN-152-A*, val18", "mdpn-r152", "", _TRACKING)
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
            _TRACKING,
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
        ),
        _row(
            "5-mdpn-tracks",
            "MDPN*",
            figures("Wrist Ankle mAP MOTA", 69.5, 66.1, 72.6, 58.5),
            f"mdpn-r152 {_ALL}",
            _TRACKING,
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
