"""The rows of the SCUT-Samsung report in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Row, Table, figures

_JOINTS = "Head Shou Elb Wri Hip Knee Ankl Total"
_NEEDS = {
    "posetrack": ("PoseTrack 2017",),
    "voc0712": ("PoseTrack 2017", "Pascal VOC 2007 and 2012"),
    "coco": ("PoseTrack 2017", "COCO"),
    "mpii-posetrack": ("PoseTrack 2017", "MPII's images"),
    "mpii": ("MPII's images",),
}
_HOURGLASSES = {
    "posetrack": "--datasets $PT17",
    "mpii": "--datasets $MPII --val-split valid",
    "mpii-posetrack": "--datasets $MPII $PT17 --val-datasets $PT17:val",
}
_ABOUT = (
    "VOC mAP of person boxes above a confidence. The commands' data sets are those of the recipes; "
    "--datasets and --val-dataset give others. `train_ssd.py` prints the three figures at its end."
)


def _detector(number: int, training: str, *values: str) -> Table:
    rows = tuple(
        Row(
            f"scut-{number}-{least}",
            f"SSD300, confidence {least}",
            {"mAP": value},
            (f"train_ssd.py ssd300-{training}",),
            needs=_NEEDS[training],
        )
        for least, value in zip((0.15, 0.3, 0.5), values, strict=True)
    )
    about = _ABOUT if number == 1 else "As Table 1."
    return Table(f"Table {number}. SSD300 trained on {_NAMES[training]}", about, rows)


def _poses(number: int, detector: str, hourglass: str, *values: float) -> Row:
    boxes, poses = detector.partition("-")[2], hourglass
    return Row(
        f"scut-{number}",
        f"Table {number}: {detector.partition('-')[0].upper()} ({_NAMES[boxes]}) + "
        f"hourglass ({_NAMES[poses]})" + (", partial test" if number == 15 else ""),
        figures(_JOINTS, *values),
        (
            f"train_ssd.py {detector}",
            f"train_topdown.py hourglass2-{poses} {_HOURGLASSES[poses]}",
            "detect.py --kind posetrack --data data/posetrack17 "
            f"--model runs/{detector}/best.keras --output {detector}.json",
            "track_lab.py scut-samsung-poses --data data/posetrack17 --flow none "
            f"--model runs/topdown-hourglass2-{poses}/best.keras --boxes {detector}.json",
        ),
        needs=tuple(dict.fromkeys((*_NEEDS["posetrack"], *_NEEDS[boxes], *_NEEDS[poses]))),
    )


_NAMES = {
    "posetrack": "PoseTrack",
    "voc0712": "VOC 07/12",
    "coco": "COCO",
    "mpii-posetrack": "MPII + PoseTrack",
    "mpii": "MPII",
}
_TABLE_5 = Table(
    "Table 5. SSD300 trained on PoseTrack with greater overlaps",
    "Overlap: least IoU of a default box with its person, in training. Figures as in Table 1.",
    tuple(
        Row(
            f"scut-5-{overlap}-{least}",
            f"overlap {overlap}, confidence {least}",
            {"mAP": value},
            (f"train_ssd.py ssd300-overlap{round(100 * overlap)}",),
            needs=_NEEDS["posetrack"],
        )
        for overlap, values in (
            (0.6, (0.45, 0.45, 0.33)),
            (0.7, (0.01, 0.01, 0.08)),
            (0.8, (0.19, 0.19, "N/A")),
        )
        for least, value in zip((0.1, 0.2, 0.4), values, strict=True)
    ),
)
_POSES = Table(
    "Tables 8 to 15. Detector and hourglass, PoseTrack 2017 validation, mAP",
    "One row each; `eval_matrix.py` takes several networks and detectors at once, and gives AP by "
    "OKS. Tables 6 and 7 are OpenPose's, which is not built: total 49.3 "
    "where trained on MPII, 34.1 on PoseTrack.",
    (
        _poses(8, "ssd300-voc0712", "posetrack", 51.9, 47.1, 41.9, 34.4, 36.2, 33.1, 24.4, 39.3),
        _poses(9, "ssd300-posetrack", "posetrack", 55.2, 49.3, 45.4, 35.7, 38.5, 36.3, 25.3, 41.8),
        _poses(10, "ssd300-posetrack", "mpii", 53.2, 52.6, 48.9, 43.4, 43.6, 44.0, 39.2, 46.9),
        _poses(
            *(11, "ssd300-mpii-posetrack", "posetrack"),
            *(58.4, 50.8, 46.9, 38.0, 39.0, 37.5, 26.6, 43.5),
        ),
        _poses(
            *(12, "ssd300-mpii-posetrack", "mpii-posetrack"),
            *(62.1, 61.7, 60.0, 53.4, 54.1, 51.7, 44.3, 55.8),
        ),
        _poses(13, "ssd300-coco", "mpii-posetrack", 67.0, 66.8, 63.6, 56.5, 55.6, 54.6, 47.7, 59.4),
        _poses(14, "ssd512-coco", "mpii-posetrack", 69.3, 68.5, 65.4, 57.7, 57.9, 55.8, 50.3, 61.3),
        _poses(15, "ssd512-coco", "mpii-posetrack", 66.6, 65.8, 62.3, 56.4, 54.1, 53.7, 48.2, 58.7),
    ),
)

SCUT_SAMSUNG_TABLES = (
    _detector(1, "posetrack", "0.47", "0.45", "0.40"),
    _detector(2, "voc0712", "0.43", "0.43", "0.39"),
    _detector(3, "coco", "0.46", "0.52", "0.40"),
    _detector(4, "mpii-posetrack", "0.52", "0.50", "0.43"),
    *(_TABLE_5, _POSES),
)
