"""What was measured here of tracking, in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Paper, Row, Table

_BONN = "--data data/bonn_posetrack --split"

PAPERS = (
    Paper(
        "Tracking, measured here",
        (
            Table(
                "Tracking here: no rows of the papers",
                "mAP and MOTA as PoseTrack measures them, default definitions. The README has the "
                "tables.",
                (
                    Row(
                        "track-here-drawn",
                        "All rows on drawn videos, simulated networks",
                        {},
                        ("track_lab.py",),
                        here="measured here on 24 drawn videos of 40 frames: Simple Baselines b1 "
                        "mAP 78.6, MOTA 65.6; b6 87.3, 81.9; MDPN-A* 92.5, 88.3",
                    ),
                    Row(
                        "track-here-bonn",
                        "Pretrained networks on real people",
                        {},
                        (
                            f"detect.py --kind posetrack {_BONN} test --output boxes.json",
                            "track_lab.py simple-baselines-b1 simple-baselines-b6 mdpn-tracks "
                            f"{_BONN} test --model pretrained/topdown-mobilenetv2.keras "
                            "--boxes boxes.json --head interpolate --flow dis",
                        ),
                        here="measured here on Bonn's test sequence, 41 frames, boxes of the "
                        "pretrained MultiPoseNet: b1 mAP 57.5, MOTA 49.5; b6 58.2, 50.0; MDPN-A* "
                        "56.3, 49.0",
                    ),
                    Row(
                        "track-here-bonn-truth",
                        "The truth with simulated mistakes, tracked again",
                        {},
                        (
                            f"track_lab.py --grid {_BONN} train --flow none --estimate-heads",
                            f"track_lab.py --grid {_BONN} test --flow dis",
                        ),
                        here="measured here on Bonn's 30 training sequences without pictures: "
                        "Hungarian, box MOTA 70.3, flow of 8 frames (unmoved) 76.4; on its test "
                        "sequence with DIS flow 87.6 and 88.8",
                    ),
                ),
            ),
        ),
    ),
)
