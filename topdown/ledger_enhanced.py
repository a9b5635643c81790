"""The rows of "Enhanced two-stage multi-person pose estimation" in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Row, Table, figures

_BOXES = "Keypoint R-CNN's boxes"
_JOINTS = "Head Shou Elb Wri Hip Knee Ankl Total"


def _row(row: str, label: str, name: str, *values: float) -> Row:
    tuned = "posetrack" in name
    options = "--datasets $PT18" if tuned else "$COCO"
    return Row(
        f"e2s-1-{row}",
        label,
        figures(_JOINTS, *values),
        (
            f"train_topdown.py enhanced-{name} {options}",
            "track_lab.py enhanced-poses --data data/posetrack18 --split val "
            f"--model runs/topdown-enhanced-{name}/best.keras --boxes boxes.json --flow none",
        ),
        needs=("PoseTrack 2018" if tuned else "COCO, PoseTrack 2018", _BOXES),
    )


ENHANCED_TABLES = (
    Table(
        "Table 1. PoseTrack 2018 validation, mAP",
        "PT: 76,000 steps of PoseTrack 2018, PT*: 1,000; they start from the run of the COCO row. "
        "The rows on COCO alone have no neck and no head top: both count as 0 there. "
        "boxes.json holds COCO results; `eval_matrix.py` would give AP by OKS.",
        (
            _row(
                "r152-1k",
                "ResNet152, COCO, PT*",
                "r152-posetrack-1k",
                *(77.0, 76.1, 73.2, 66.2, 67.6, 66.5, 63.1, 70.4),
            ),
            _row(
                "r152-76k",
                "ResNet152, COCO, PT",
                "r152-posetrack-76k",
                *(76.1, 74.3, 71.6, 65.4, 62.3, 64.7, 61.5, 68.5),
            ),
            _row(
                "r152",
                "ResNet152, COCO",
                "r152",
                *(27.8, 77.1, 73.4, 65.7, 68.5, 67.8, 62.8, 60.9),
            ),
            _row(
                "r50-1k",
                "ResNet50, COCO, PT*",
                "r50-posetrack-1k",
                *(75.4, 73.5, 67.4, 59.7, 62.0, 61.3, 57.0, 65.9),
            ),
            _row(
                "r50",
                "ResNet50, COCO",
                "r50",
                *(26.8, 69.7, 62.5, 54.1, 57.8, 54.5, 50.8, 51.9),
            ),
        ),
    ),
)
