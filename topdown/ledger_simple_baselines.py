"""The rows of Simple Baselines in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Row, Table, figures

_COCO = ("COCO", "their detector's boxes")
_PT17 = ("PoseTrack 2017", "their detectors' boxes")
_JOINTS = "Head Shou Elb Wri Hip Knee Ankl Total"


def _coco(row: str, label: str, name: str, published: dict, needs=_COCO) -> Row:
    recipe = f"simple-baselines-{name}" if name[0] == "r" else name
    commands = (
        f"train_topdown.py {recipe} $COCO",
        f"eval_coco.py runs/topdown-{recipe}/best.keras --data data/coco --split val2017 "
        "--boxes boxes.json --flip",
    )
    return Row(f"sb-{row}", label, published, commands, needs=needs)


def _ablation(row: str, label: str, name: str, ap: float) -> Row:
    return _coco(row, label, name, {"AP": ap})


def _mpii(backbone: str, side: int, pckh: str) -> Row:
    size = "" if side == 256 else f"-{side}x{side}"
    name = f"simple-baselines-{backbone.lower()}{size}-mpii"
    commands = (
        f"train_topdown.py {name} --datasets mpii=mpii-centre:data/mpii --val-split valid",
        f"eval_mpii.py runs/topdown-{name}/best.keras --data data/mpii --flip",
    )
    label = f"{backbone}, {side}x{side}"
    row = f"sb-mpii-{backbone.lower()}-{side}"
    return Row(row, label, {"PCKh@0.5": pckh}, commands, needs=("MPII's images",))


def _posetrack(
    row: str, label: str, backbone: str, published: dict, recipe: str, split: str = "val"
) -> Row:
    """A network fine-tuned on PoseTrack, and a row of the laboratory with it.

    That of `8-ours` learns the validation set too.
    """
    size = "-384x288" if backbone == "r152" else ""
    network = f"simple-baselines-{backbone}{size}-posetrack"
    more = " validation=$PT17:val" if row == "8-ours" else ""
    detector = "r-fcn" if "-a" in recipe else "fpn-dcn"
    flow = " --flow flownet2s.keras" if recipe[-1] not in "12" else " --flow none"
    commands = (
        f"train_topdown.py {network} --datasets $PT17{more}",
        f"track_lab.py {recipe} --data data/posetrack17 --split {split} "
        f"--model runs/topdown-{network}/best.keras --boxes {detector}-{split}.json{flow}",
    )
    needs = [*_PT17, *(["FlowNet2-S's weights"] if flow.endswith(".keras") else [])]
    needs += ["PoseTrack's server for test"] if split == "test" else []
    return Row(f"sb-{row}", label, published, commands, needs=tuple(needs))


_TABLE_2 = Table(
    "Table 2. Backbone, input, deconvolutions, COCO val2017",
    "boxes.json holds person boxes: the paper's have 56.4 person AP. At hand are others with 53.3 "
    "(YOLO11n); `--boxes gt` takes the true ones (row a by users' account: 72.4). In place of the "
    "training, `convert_simple_baselines.py` makes a model of the authors' weights.",
    (
        _ablation("2a", "a: R50, 256x192, 3 deconvolutions, kernel 4", "r50", 70.4),
        _ablation("2b", "b: 2 deconvolutions", "r50-2deconv", 67.9),
        _ablation("2c", "c: kernel 2", "r50-kernel2", 70.1),
        _ablation("2d", "d: kernel 3", "r50-kernel3", 70.3),
        _ablation("2e", "e: R101", "r101", 71.4),
        _ablation("2f", "f: R152", "r152", 72.0),
        _ablation("2g", "g: 128x96", "r50-128x96", 60.6),
        _ablation("2h", "h: 384x288", "r50-384x288", 72.2),
    ),
)
_TABLE_3 = Table(
    "Table 3. Hourglass and CPN, COCO val2017",
    "The hourglasses' figures are quoted from CPN's paper and are listed because the network is "
    "here; the four lines of CPN are left out.",
    (
        _ablation("3-hourglass8-256x192", "8-stage Hourglass, 256x192", "hourglass8-256x192", 66.9),
        _ablation("3-hourglass8-256x256", "8-stage Hourglass, 256x256", "hourglass8-256x256", 67.1),
        _ablation("3-ours-256x192", "Ours, R50, 256x192 (2a)", "r50", 70.4),
        _ablation("3-ours-384x288", "Ours, R50, 384x288 (2h)", "r50-384x288", 72.2),
    ),
)
_TABLE_4 = Table(
    "Table 4. COCO test-dev",
    "Nine lines of others are left out. The command measures val2017, COCO's server test-dev.",
    (
        _coco(
            "4-ours",
            "Ours, R152, 384x288",
            "r152-384x288",
            figures("AP AP50 AP75 APm APl AR", 73.7, 91.9, 81.1, 70.3, 80.0, 79.0),
            ("COCO", "COCO's server for test-dev", "their boxes of 60.9 person AP"),
        ),
    ),
)
_README_COCO = Table(
    "Authors' repository, COCO val2017",
    "Rows that its README adds, with detected boxes.",
    (
        _ablation("readme-r101-384x288", "R101, 384x288", "r101-384x288", 73.6),
        _ablation("readme-r152-384x288", "R152, 384x288", "r152-384x288", 74.3),
    ),
)
_README_MPII = Table(
    "Authors' repository, MPII validation",
    "Rows that its README adds; the boxes are the places that MPII gives, in training too.",
    tuple(
        _mpii(*row)
        for row in (
            ("R50", 256, "88.532"),
            ("R101", 256, "89.131"),
            ("R152", 256, "89.620"),
            ("R50", 384, "89.066"),
            ("R101", 384, "90.003"),
            ("R152", 384, "90.200"),
        )
    ),
)

_METRICS = "box without propagation", "pose without propagation", "box", "pose", "flow"
_SIMILARITIES = (*_METRICS, "flow of several frames")
_ABLATION = {
    "a": ("r50", "R50, R-FCN", (66.0, 66.0, 70.3, 70.3, 70.3, 70.3)),
    "b": ("r50", "R50, FPN-DCN", (69.3, 69.3, 72.4, 72.4, 72.4, 72.4)),
    "c": ("r152", "R152, FPN-DCN", (72.9, 72.9, 76.7, 76.7, 76.7, 76.7)),
}
_MOTA = {
    "a": (57.6, 57.7, 61.4, 61.8, 61.8, 62.2),
    "b": (59.8, 59.7, 62.1, 61.8, 62.4, 62.9),
    "c": (62.0, 61.9, 64.8, 64.9, 65.1, 65.4),
}
_TABLE_5 = Table(
    "Table 5. Tracking, PoseTrack 2017 validation",
    "The networks are those of the COCO rows, fine-tuned; similarity by which poses are linked. "
    "Boxes are COCO results of a detector (`detect.py --kind posetrack` writes such), flow is "
    "FlowNet2-S (`convert_flownet.py` makes flownet2s.keras of the public weights; `--flow dis` "
    "needs none). `track_lab.py` alone runs all rows on drawn videos with simulated networks.",
    tuple(
        _posetrack(
            f"5-{letter}{number}",
            f"{letter}{number}: {label}, {similarity}",
            backbone,
            {"mAP": precision, "MOTA": mota},
            f"simple-baselines-{letter}{number}",
        )
        for letter, (backbone, label, precisions) in _ABLATION.items()
        for number, similarity, precision, mota in zip(
            range(1, 7), _SIMILARITIES, precisions, _MOTA[letter], strict=True
        )
    ),
)
_BEST = {"r50": "simple-baselines-b6", "r152": "simple-baselines-c6"}
_TABLE_6 = Table(
    "Table 6. Poses, PoseTrack 2017, mAP",
    "b6 and c6 of Table 5 by keypoint, which rows.json of the laboratory holds. The server alone "
    "measures test; its files are those in the row's folder. Four lines of others are left out.",
    tuple(
        _posetrack(
            f"6-{backbone}-{split}",
            label,
            backbone,
            figures(_JOINTS, *values),
            _BEST[backbone],
            split,
        )
        for backbone, split, label, *values in (
            ("r50", "val", "R50, val", 79.1, 80.5, 75.5, 66.0, 70.8, 70.0, 61.7, 72.4),
            ("r152", "val", "R152, val", 81.7, 83.4, 80.0, 72.4, 75.3, 74.8, 67.1, 76.7),
            ("r50", "test", "R50, test", 76.4, 77.2, 72.2, 65.1, 68.5, 66.9, 60.3, 70.0),
            ("r152", "test", "R152, test", 79.5, 79.7, 76.4, 70.7, 71.6, 71.3, 64.9, 73.9),
        )
    ),
)
_CLEAR = f"{_JOINTS} MOTP precision recall"
_TABLE_7 = Table(
    "Table 7. Tracking, PoseTrack 2017, MOTA",
    "As Table 6.",
    tuple(
        _posetrack(
            f"7-{backbone}-{split}",
            label,
            backbone,
            figures(_CLEAR, *values),
            _BEST[backbone],
            split,
        )
        for backbone, split, label, *values in (
            ("r50", "val", "R50, val", 72.1, 74.0, 61.2, 53.4, 62.4, 61.6, 50.7)
            + (62.9, 84.5, 86.3, 76.0),
            ("r152", "val", "R152, val", 73.9, 75.9, 63.7, 56.1, 65.5, 65.1, 53.5)
            + (65.4, 85.4, 85.5, 80.3),
            ("r50", "test", "R50, test", 65.9, 67.0, 51.5, 48.0, 56.2, 54.6, 46.9)
            + (56.4, 45.5, 81.0, 75.7),
            ("r152", "test", "R152, test", 67.1, 68.4, 52.2, 48.9, 56.1, 56.6, 48.8)
            + (57.6, 62.6, 79.4, 79.9),
        )
    ),
)
_TABLE_8 = Table(
    "Table 8. PoseTrack 2017 leaderboard",
    "Six lines of others are left out.",
    (
        _posetrack(
            "8-ours",
            "R152, trained on train and validation",
            "r152",
            {"mAP": 74.6, "MOTA": 57.8},
            "simple-baselines-c6",
            "test",
        ),
    ),
)

SIMPLE_BASELINES_TABLES = (
    *(_TABLE_2, _TABLE_3, _TABLE_4, _README_COCO, _README_MPII),
    *(_TABLE_5, _TABLE_6, _TABLE_7, _TABLE_8),
)
