"""Data sets by words of a command line."""

import dataclasses
import re
from pathlib import Path

from posekit.datasets.coco import CocoDataset, DatasetError, load_coco

KINDS = ("coco", "mpii", "mpii-centre", "posetrack", "voc", "synthetic")
_WORD = re.compile(
    r"(?:(?P<name>[A-Za-z][\w-]*)=)?(?P<kind>[a-z0-9-]+):(?P<path>[^:]+)(?::(?P<split>[^:]+))?"
)


@dataclasses.dataclass(frozen=True)
class DatasetWord:
    """[NAME=]KIND:PATH[:SPLIT], taken apart."""

    name: str
    kind: str
    path: Path
    split: str | None


def parse_word(word: str) -> DatasetWord:
    """Takes a word apart; the name is that of the kind when not given.

    Raises:
        DatasetError: it has another form, or an unknown kind.
    """
    found = _WORD.fullmatch(word)
    if found is None or found["kind"] not in KINDS:
        raise DatasetError(
            f"expected [NAME=]KIND:PATH[:SPLIT] with KIND out of {', '.join(KINDS)}, received "
            f"{word!r}; such as coco:data/coco:train2017"
        )
    return DatasetWord(
        found["name"] or found["kind"], found["kind"], Path(found["path"]), found["split"]
    )


def open_dataset(word: str, split: str = "train") -> CocoDataset:
    """Opens a data set.

    Args:
        word: [NAME=]KIND:PATH[:SPLIT]. "coco" is any data set in COCO layout, with the keypoints
            that its category lists. "mpii" has the boxes round the keypoints, "mpii-centre" those
            that the MPII protocol crops by; what others call val is their split "valid".
            "synthetic" draws the domain NAME of
            `synthetic_domains.DOMAINS` in PATH/NAME, unless it is there, with splits train and val.
        split: where the word names none.

    Raises:
        DatasetError: another form, or a data set that cannot be used.
    """
    parsed = parse_word(word)
    split = parsed.split or split
    if parsed.kind in ("mpii", "mpii-centre"):
        from posekit.datasets.mpii import load_mpii

        box = "centre" if parsed.kind == "mpii-centre" else "keypoints"
        return load_mpii(parsed.path, "valid" if split == "val" else split, box=box)
    if parsed.kind == "posetrack":
        from posekit.datasets.posetrack import load_posetrack

        return load_posetrack(parsed.path, split)
    if parsed.kind == "voc":
        from posekit.datasets.voc_boxes import load_voc_boxes

        return load_voc_boxes(parsed.path, split)
    if parsed.kind == "synthetic":
        from posekit.datasets.synthetic_domain_folder import synthetic_domain

        return load_coco(synthetic_domain(parsed.name, parsed.path), split)
    return load_coco(parsed.path, split)
