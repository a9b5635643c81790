"""The files that scripts/download.py fetches: data sets and weights, as their makers publish them.

Simple Baselines' checkpoints (pose_resnet_50_256x192.pth.tar and its like) lie on shared drives
without lasting https addresses; fetch them by hand and convert them.
"""

import dataclasses

from posekit.weights.imagenet import FILES, HOST, SIZE_LIMIT, published_digits


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """One file.

    Args:
        url: https.
        max_bytes: its length where it is known, else somewhat more.
        sha256: all of its hex digits, or the first ones where no more are published; "" where none
            are: then whoever fetches it states them, or trusts what comes first.
        unpack: whether it is an archive.
    """

    url: str
    max_bytes: int
    sha256: str = ""
    unpack: bool = False

    @property
    def name(self) -> str:
        """What it is called on disk."""
        return self.url.rpartition("/")[2]


# images.cocodataset.org, the address that COCO's pages give, is a name of this storage; over https
# it shows the storage's certificate, which has another name. Lengths and hashes are those that
# TensorFlow Datasets checks (url_checksums/coco.txt); other data tools state the same ones.
_COCO = "https://s3.amazonaws.com/images.cocodataset.org/"
_ANNOTATIONS = PublishedFile(
    f"{_COCO}annotations/annotations_trainval2017.zip",
    252_907_541,
    "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
    unpack=True,
)
_VAL = PublishedFile(
    f"{_COCO}zips/val2017.zip",
    815_585_330,
    "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
    unpack=True,
)
_TRAIN = PublishedFile(
    f"{_COCO}zips/train2017.zip",
    19_336_861_798,
    "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
    unpack=True,
)
_MPII = "https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr/"
COLLECTIONS: dict[str, tuple[PublishedFile, ...]] = {
    "coco-annotations2017": (_ANNOTATIONS,),
    "coco-val2017": (_ANNOTATIONS, _VAL),
    "coco-train2017": (_ANNOTATIONS, _TRAIN),
    "coco": (_ANNOTATIONS, _VAL, _TRAIN),
    "mpii-annotations": (
        PublishedFile(f"{_MPII}mpii_human_pose_v1_u12_2.zip", 1 << 26, unpack=True),
    ),
    "mpii-images": (PublishedFile(f"{_MPII}mpii_human_pose_v1.tar.gz", 14 << 30, unpack=True),),
} | {
    name: (PublishedFile(HOST + file, SIZE_LIMIT, published_digits(file)),)
    for name, file in FILES.items()
}
"""Name on the command line -> files."""
