"""The rows of MultiPoseNet in the ledger of reproduction.

Imports no TensorFlow.
"""

from multiposenet.ledger_prn import PRN_TABLES
from posekit.ledger import Paper, Row, Table, figures

_AP = "AP AP50 AP75 APM APL"
_VAL = "eval_coco.py r101.keras --data data/coco --split val2017"


def _whole(name: str, detector: str) -> tuple[str, ...]:
    """Trains a keypoint subnet and a detector on its backbone, joins and evaluates them."""
    return (
        f"train_keypoint.py coco-{name} $COCO",
        f"train_detector.py {detector} --keypoint-run coco-{name} --name detector-{name} $COCO",
        f"join.py runs/coco-{name} runs/detector-{name} runs/prn-1x1024-d-r "
        f"--output {name}.keras --shorter-edge 800 --canvas 1344 1344",
        f"eval_coco.py {name}.keras --data data/coco --split val2017",
    )


def _keypoints(name: str, label: str, published: dict, detector: str = "detector-r101") -> Row:
    return Row(f"mpn-2-{name}", label, published, _whole(name, detector), needs=("COCO",))


_TABLE_1 = Table(
    "Table 1. COCO test-dev",
    "Lines of other methods are left out. The paper's 69.6 is an ensemble with several scales and "
    "crops; its 23 FPS, printed beside it, are those of one model. AR50 is printed as 0.881.",
    (
        Row(
            "mpn-1-ours",
            "Ours",
            figures(f"FPS {_AP}", 23, 69.6, 86.3, 76.6, 65.0, 76.3)
            | figures("AR AR50 AR75 ARM ARL", 73.5, "0.881", 79.5, 68.6, 80.3),
            (
                "eval_coco.py r50.keras r101.keras --data data/coco --split val2017 --flip "
                "--scales 0.75 1 1.25 1.5",
            ),
            needs=("COCO", "COCO's server for test-dev"),
            missing="the separate single-person refinement network",
        ),
    ),
)
_TABLE_2 = Table(
    "Table 2. Keypoint subnets and backbones, COCO val2017",
    "AP of the whole model, with the detector of Table 5 and the PRN of Table 3. The figures of "
    "*no concat* and of R50 cannot be read in the table; the text gives them.",
    (
        _keypoints(
            "r101-no-int", "R101, no intermediate", figures(_AP, 61.3, 83.7, 69.6, 56.6, 67.4)
        ),
        _keypoints("r101-no-concat", "R101, no concatenation", {"AP": "about 62 (text)"}),
        _keypoints("r101", "R101", figures(_AP, 63.9, 87.1, 73.2, 58.1, 72.2)),
        _keypoints("r101-dil", "R101, dilated", figures(_AP, 64.3, 88.2, 75, 59.6, 73.9)),
        _keypoints("r50", "R50", {"AP": "62.3 (text)"}, "detector-r50"),
    ),
)


def _person(name: str, label: str, *values) -> Row:
    published = figures("AP AP50 AP75 APS APM APL", *values)
    command = f"train_detector.py detector-{name} $COCO"
    return Row(f"mpn-5-{name}", label, published, (command,), needs=("COCO",))


_TABLE_5 = Table(
    "Table 5. Person boxes, COCO; person masks, Pascal VOC 2012 test",
    "The detectors stand on the keypoint subnets of Table 2. VOC's test labels are on its server "
    "alone: the split val stands for it.",
    (
        _person("r101", "Ours, R101", 52.5, 81.5, 55.3, 35.2, 59, 71),
        _person("r50", "Ours, R50", 51.3, 81.4, 53.6, 34.9, 58, 68.1),
        Row(
            "mpn-5-masks",
            "Segmentation, ours",
            {"person IoU": 87.8},
            (
                "eval_voc.py r101.keras --data data/VOCdevkit/VOC2012 --split val --flip "
                "--scales 0.75 1 1.25",
            ),
            needs=("COCO", "Pascal VOC 2012"),
        ),
    ),
)
_FIGURES = Table(
    "Figures 2, 5, 7, 8",
    "Figure 7 is lost in our copy of the paper. Figure 8: a GTX 1080 Ti, ResNet-50, 384x576.",
    (
        Row(
            "mpn-figure-2",
            "Poses that the PRN has learned",
            {"clusters": 6},
            (
                "explain_prn.py pretrained/prn-small.keras "
                "--data data/coco/annotations/person_keypoints_val2017.json",
            ),
            "measured here on 4,000 people of COCO val2017 with the small PRN: six skeletons, "
            "pictured in the README",
        ),
        Row(
            "mpn-figure-5",
            "Precision and recall",
            {},
            (f"{_VAL} --curves curves.png",),
            needs=("COCO",),
        ),
        Row(
            "mpn-figure-7",
            "Parameters by block",
            {},
            ("benchmark.py multiposenet --rounds 0 --output runs/blocks",),
            "measured here on the network itself: backbone 23.6 M, keypoint FPN 2.75 M, keypoint "
            "subnet 2.96 M, detection FPN 8.0 M, detection heads 4.82 M, PRN 70.2 M",
        ),
        Row(
            "mpn-figure-8",
            "Time against people",
            {"image": "35 ms", "each person": "2 ms"},
            ("benchmark.py multiposenet --people 1 5 10 15 20 --rounds 3 --output runs/stages",),
            "measured here on two CPU cores, random weights: one more person costs 0.17 % of the "
            "time of one (paper: 5.7 %)",
        ),
    ),
)

_PROTOCOL = "pycocotools; coco_small val, 238 photos"
_HERE = Table(
    "Trained here: no rows of the paper",
    'coco_small: 2,155 + 238 images out of COCO val2017, so its figures are not those of "COCO '
    'val". MODEL is pretrained/multiposenet-mobilenetv2.keras, which is made of small, '
    "detector-small and prn-small.",
    (
        Row(
            "mpn-here-demo",
            "Keypoint subnet of the demo",
            {},
            ("train_keypoint.py demo",),
            "trained here on 3,000 synthetic images, measured on 100: peak recall 0.705, peak AP "
            "0.580, mask IoU 0.759",
        ),
        Row(
            "mpn-here-detector-demo",
            "Detector on it",
            {},
            ("train_detector.py demo",),
            "trained here on 3,000 synthetic images, measured on 100: person AP 0.478, AP50 0.833",
        ),
        Row(
            "mpn-here-crowds",
            "The whole model on crowds, `make crowds`",
            {},
            (
                "train_keypoint.py demo-crowds",
                "train_detector.py demo-crowds",
                "train_prn.py demo-crowds",
            ),
            "trained here on 3,000 synthetic images, measured on 100 with flip test and three "
            "scales: keypoint AP 0.446 (AP50 0.770), person AP 0.512, mask IoU 0.827",
        ),
        Row(
            "mpn-here-small",
            "The pretrained model, MobileNetV2",
            {},
            (
                "train_keypoint.py small $COCO_SMALL --epochs 26",
                "train_detector.py detector-small $COCO_SMALL",
                "eval_coco.py $COCO_SMALL --split val --flip --scales 0.6 1 1.4",
            ),
            f"trained here on 2,155 images of coco_small train ({_PROTOCOL}): keypoint AP 0.114 "
            "(AP50 0.354), person AP 0.199, mask IoU 0.545",
        ),
        Row(
            "mpn-here-prn-small",
            "The pretrained PRN, 1.98 M parameters",
            {},
            ("train_prn.py prn-small $COCO --validate-every 2",),
            "trained here on 142,513 people of COCO train2017, measured as Table 3, left (clean "
            "rule / published rule): 94.0 / 92.7 AP",
        ),
    ),
)

PAPERS = (
    Paper(
        "MultiPoseNet (Kocabas et al. 2018)",
        (_TABLE_1, _TABLE_2, *PRN_TABLES, _TABLE_5, _FIGURES, _HERE),
    ),
)
