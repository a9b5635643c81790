"""The rows of MultiPoseNet's Tables 3 and 4, about the PRN, in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Row, Table, figures

_AP = "AP AP50 AP75 APM APL"
_PEOPLE = "142,513 people of COCO train2017, measured on val2017 (clean rule / published rule)"
_CROWDS = "trained here on 3,000 images of synthetic crowds (`make crowds`), measured on 100"


def _prn(name: str, label: str, published: dict, here: str = "") -> Row:
    return Row(f"mpn-3-{name}", label, published, (f"train_prn.py prn-{name} $COCO",), here)


def _group(name: str, label: str, published: dict, options: str, here: str) -> Row:
    command = f"eval_coco.py r101.keras --data data/coco --split val2017 {options}".strip()
    return Row(f"mpn-3-{name}", label, published, (command,), f"{_CROWDS}: {here}", ("COCO",))


_TABLE_3_LEFT = Table(
    "Table 3, left. Pose residual networks, true keypoints and boxes of COCO val2017",
    "What is measured is who gets which keypoint, nothing else: *assignment AP*. The paper's are "
    "by the rule of its public code for choosing peaks. Results here are on the rebuilt annotations"
    " of all 2,693 images with people.",
    (
        _prn("1x50", "1 layer, 50 nodes", figures(_AP, 76.3, 89.2, 79.1, 74.8, 80.4)),
        _prn("1x50-d", "1 layer, 50 nodes, D", figures(_AP, 78.6, 91.7, 82.4, 77.1, 83.1)),
        _prn("1x512-d", "1 layer, 512 nodes, D", figures(_AP, 84.1, 94.2, 85.3, 82, 86.2)),
        _prn("2x512-d", "2 layers, 512 nodes, D", figures(_AP, 81.9, 91.1, 82.6, 79.8, 84.3)),
        _prn("1x2048-d-r", "1 layer, 2048 nodes, D+R", figures(_AP, 83.2, 95.7, 86.1, 82.0, 86.3)),
        _prn(
            "1x1024-d-r",
            "1 layer, 1024 nodes, D+R",
            figures(_AP, 89.4, 97.1, 91.2, 87.9, 91.8),
            f"trained here on {_PEOPLE}: 91.5 / 88.6 AP with `--learning-rate 1e-3 --schedule "
            "cosine --epochs 2`, 90.0 / 86.1 with `--epochs 4` alone (16 are the recipe's)",
        ),
    ),
)
_TABLE_3_RIGHT = Table(
    "Table 3, right. Whose keypoints and boxes, and what groups them, COCO val2017",
    "r101.keras is that of Table 2.",
    (
        _group(
            "both-true",
            "Both GT",
            figures(_AP, 89.4, 97.1, 91.2, 87.9, 91.8),
            "--keypoints truth --boxes truth",
            "0.955 AP (AP50 1.000)",
        ),
        _group(
            "true-keypoints",
            "GT keypoints + our boxes",
            figures(_AP, 75.3, 82.1, 78, 70.1, 84.5),
            "--keypoints truth",
            "0.839 AP (AP50 0.968)",
        ),
        _group(
            "true-boxes",
            "Our keypoints + GT boxes",
            figures(_AP, 65.1, 89.2, 76.2, 60.3, 74.7),
            "--boxes truth",
            "0.395 AP (AP50 0.724)",
        ),
        _group("prn", "PRN", figures(_AP, 64.3, 88.2, 75, 59.6, 73.9), "", "0.370 AP (AP50 0.702)"),
        _group(
            "ucr",
            "UCR",
            figures(_AP, 49.7, 59.5, 52.4, 44.1, 51.6),
            "--grouping ucr --prior runs/prn-1x1024-d-r/prior.npz",
            "0.354 AP (AP50 0.684)",
        ),
        _group(
            "max",
            "Max",
            figures(_AP, 45.3, 55.1, 48.8, 40.6, 46.9),
            "--grouping max",
            "0.173 AP (AP50 0.445)",
        ),
    ),
)
_GROUP = (
    "group.py --peaks peaks.json --boxes boxes.json --model runs/prn-1x1024-d-r/best.keras",
    "eval_coco.py --annotations data/coco/annotations/person_keypoints_val2017.json "
    "--results keypoint-results.json",
)
_TABLE_4 = Table(
    "Table 4. The PRN on keypoints of others, COCO val",
    "The lines without PRN are left out. peaks.json holds their peaks, boxes.json our boxes.",
    (
        Row(
            "mpn-4-cao",
            "PRN + Cao et al.",
            figures(_AP, 59.2, 82.2, 64.4, 54.1, 67.0),
            _GROUP,
            needs=("COCO", "peaks of their network"),
        ),
        Row(
            "mpn-4-newell",
            "PRN + Newell et al.",
            figures(_AP, 58.1, 81.4, 63.0, 51.3, 68.1),
            _GROUP,
            needs=("COCO", "peaks of their network"),
        ),
    ),
)

PRN_TABLES = (_TABLE_3_LEFT, _TABLE_3_RIGHT, _TABLE_4)
