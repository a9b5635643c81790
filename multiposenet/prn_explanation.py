"""From a trained PRN's file to the picture of what it has learned (Figure 2, right)."""

from pathlib import Path

import cv2
import numpy as np

from multiposenet.prn import input_kind
from multiposenet.prn_figures import network_of
from multiposenet.prn_files import PrnFileError, load_prn, skeleton_named
from multiposenet.prn_people import AnnotationError, load_people
from multiposenet.prn_structures import (
    AREA_SHARE,
    Clusters,
    cluster,
    draw_clusters,
    node_structures,
    output_structures,
)
from posekit.atomic_files import write_file
from posekit.commands import UsageError
from posekit.skeletons import Skeleton


def explain(
    model: Path,
    data: Path | None,
    split: str,
    people: int,
    skeleton: str,
    clusters: int,
    seed: int,
    picture: Path,
) -> str:
    """Clusters the structures of a PRN and writes them as a picture.

    Args:
        model: .keras file of `prn.prn`.
        data: see `load_people`; None: the nodes of the last hidden layer are clustered.
        split: of a folder.
        people: most people whose maps are clustered.
        skeleton: name or YAML file of what the network's maps stand for.
        clusters: how many.
        seed: of the choice of people and of the clustering.
        picture: PNG to write.

    Returns:
        Lines for reading: what was clustered, and each cluster's share and mean OKS.

    Raises:
        PrnFileError, AnnotationError, UsageError: a file or number that cannot be used.
    """
    definition = skeleton_named(skeleton)
    network = load_prn(model, definition)
    size = network.input_shape[1:3]
    found, what = _structures(network, model, data, split, people, definition, seed)
    if not 1 <= clusters <= len(found):
        raise UsageError(f"--clusters: expected 1 to {len(found)}, received {clusters}")
    area = AREA_SHARE * size[0] * size[1]
    groups = cluster(found, definition.sigmas, clusters, area, seed)
    pixels = cv2.cvtColor(draw_clusters(groups, definition, size), cv2.COLOR_RGB2BGR)
    write_file(picture, cv2.imencode(".png", pixels)[1].tobytes())
    head = f"{model.name}: {len(found)} {what}, area {area:g} cells, seed {seed}"
    return "\n".join([head, *_lines(groups), f"picture: {picture}"])


def _structures(network, model: Path, data, split, people, skeleton: Skeleton, seed: int):
    """Returns the structures (N, K, 3) and what they are, in words."""
    try:
        if data is None:
            return node_structures(network), "nodes of the last hidden layer"
        given = load_people(data, split)
        _check(given.skeleton, skeleton, data)
        size, kind = network.input_shape[1:3], input_kind(network)
        found = output_structures(network_of(network), given, people, seed, size, kind)
        return found, f"people of {data.name}"
    except AnnotationError:
        raise
    except ValueError as error:
        raise PrnFileError(f"{data or model}: {error}") from error


def _check(given: Skeleton, wanted: Skeleton, data: Path) -> None:
    if given.names != wanted.names:
        raise AnnotationError(
            f"{data}: expected the keypoints of skeleton {wanted.name!r}, received those of "
            f"{given.name!r}: {', '.join(given.names)}; name it by --skeleton"
        )


def _lines(groups: Clusters) -> list[str]:
    rows = zip(groups.shares, groups.oks, strict=True)
    lines = [
        f"{place:2d}{100 * share:8.1f} %  {oks:8.3f}" for place, (share, oks) in enumerate(rows, 1)
    ]
    mean = float(np.dot(groups.shares, groups.oks))
    return [
        "cluster share  mean OKS",
        *lines,
        f"all{100.0:7.1f} %  {mean:8.3f}, after {groups.steps} steps",
    ]
