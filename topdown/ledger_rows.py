"""The rows of the top-down papers in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Paper, Row, Table
from topdown.ledger_enhanced import ENHANCED_TABLES
from topdown.ledger_mdpn import MDPN_TABLES
from topdown.ledger_scut_samsung import SCUT_SAMSUNG_TABLES
from topdown.ledger_simple_baselines import SIMPLE_BASELINES_TABLES

_HERE = Table(
    "Trained here: no rows of the papers",
    "coco_small: 2,155 + 238 images out of COCO val2017.",
    (
        Row(
            "td-here-demo",
            "Demo on synthetic people",
            {},
            ("train_topdown.py demo",),
            here="trained here on the 4,478 people of 3,000 synthetic images, 40 epochs: AP 0.556 "
            "on 100 held out, ground-truth boxes, 0.565 with flip test",
        ),
        Row(
            "td-here-small",
            "MobileNetV2 with narrow deconvolutions, 192x144",
            {},
            (
                "extract_backbone.py pretrained/multiposenet-mobilenetv2.keras backbone.npz",
                "train_topdown.py small $COCO_SMALL --backbone-weights backbone.npz "
                "--validate-every 3",
            ),
            here="trained here on 4,998 people, 21 of 26 epochs: AP 0.314 in the ground truth's "
            "boxes of coco_small/val (238 images), 0.328 with flip test; 0.307 and 0.315 in a "
            "detector's boxes of person AP 0.566",
        ),
        Row(
            "td-here-ssd-demo",
            "SSD on synthetic people",
            {},
            ("train_ssd.py ssd-demo",),
            here="trained here on 2,000 synthetic images, 6 of 10 epochs: person AP 0.307 (AP50 "
            "0.679) on 100 held out",
        ),
        Row(
            "td-here-domains",
            "MDPN's Table 1 at small scale, on three kinds of drawn people",
            {},
            ("compare_domains.py",),
            here="trained here on drawn domains, 2,800 steps of 16 crops, one seed: AP of 0.4 to "
            "3.2 on 160 held-out pictures, see the README",
        ),
        Row(
            "td-here-ceiling",
            "AP that the encoding allows",
            {},
            ("encoding_ceiling.py $COCO_SMALL", "encoding_ceiling.py $COCO_SMALL --size 384 288"),
            here="measured here on coco_small/val, 238 images, ground-truth boxes: AP 0.975 and "
            "0.978; with --offset second_peak 0.964 and 0.977",
        ),
    ),
)

PAPERS = (
    Paper("Simple Baselines (Xiao et al. 2018)", SIMPLE_BASELINES_TABLES),
    Paper("MDPN (Guo et al. 2018)", MDPN_TABLES),
    Paper("Enhanced two-stage (Honda et al. 2018)", ENHANCED_TABLES),
    Paper("SCUT-Samsung (Shen et al. 2017)", SCUT_SAMSUNG_TABLES),
    Paper("Top-down networks of our own", (_HERE,)),
)
