"""The body structures that a PRN has learned, as a few typical poses (Figure 2, right).

Structures are poses in the box's own frame: x, y in cells of the grid (36 wide, 56 high), the
middle of the first cell at (0.5, 0.5).
"""

import dataclasses
from collections.abc import Callable, Sequence

import cv2
import keras
import numpy as np

from multiposenet.prn_inputs import SIZE, InputKind, draw_people
from multiposenet.prn_people import People
from posekit import draw
from posekit.oks import keypoint_similarity
from posekit.skeletons import Skeleton

AREA_SHARE = 0.5
"""Area of a person for OKS, as a part of the grid; COCO's segments fill about half of their box."""
CHUNK = 64
"""Maps made at once: 9 MB for 17 keypoints."""
_PAPER = (250, 250, 250)
_ZOOM, _BORDER, _HEAD = 6, 12, 26
"""Picture pixels per cell, round the box, and for the line above it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Clusters:
    """Typical poses, the most frequent first.

    Args:
        poses: (C, K, 3) float32 x, y in cells, 1.
        shares: (C,) part of all structures that is most like each; they sum to 1.
        oks: (C,) mean OKS of these structures with their pose.
        steps: updates until nothing changed.
    """

    poses: np.ndarray
    shares: np.ndarray
    oks: np.ndarray
    steps: int


def node_structures(network: keras.Model) -> np.ndarray:
    """Reads one pose off the outgoing weights of every node of the last hidden layer.

    The part of the network behind the hidden layers is run on unit vectors, and what it gives for
    zeros, the biases, is taken away; so dense and factored networks are read alike.

    Args:
        network: from `prn.prn`.

    Returns:
        (nodes, K, 3) float32: the cell of each keypoint's largest weight, 1.

    Raises:
        ValueError: a model that has no such layers.
    """
    names = [layer.name for layer in network.layers]
    hidden = [place for place, name in enumerate(names) if name.startswith("hidden")]
    if not hidden or "cells" not in names:
        raise ValueError(
            f"expected a PRN with layers hidden1 and cells, received {', '.join(names)}"
        )
    tail = network.layers[hidden[-1] + 1 : names.index("cells") + 1]
    keypoints_last = tail[-1].output.shape[1:] == network.input_shape[1:]

    def weights(activations):
        for layer in tail:
            activations = layer(activations)
        maps = np.asarray(activations)
        return maps if keypoints_last else maps.transpose(0, 2, 3, 1)

    units = np.eye(network.layers[hidden[-1]].units, dtype=np.float32)
    biases = weights(np.zeros_like(units[:1]))
    parts = [highest_cells(weights(part) - biases) for part in _parts(units)]
    return np.concatenate(parts)


def output_structures(
    network: Callable[[np.ndarray], np.ndarray],
    people: People,
    count: int,
    seed: int = 0,
    size: tuple[int, int] = SIZE,
    kind: InputKind = "peaks",
) -> np.ndarray:
    """Reads one pose off the network's maps for each of some people.

    Args:
        network: (N, h, w, K) inputs -> (N, h, w, K) maps.
        people: whose boxes and keypoints are fed, with the keypoints of everybody around them. Only
            people with at least half of their keypoints labelled count: of others the network has
            too little to complete.
        count: so many are drawn by chance; all where there are fewer.
        seed: of that choice.
        size: (height, width) of the grid.
        kind: of the network's inputs.

    Returns:
        (n, K, 3) float32: the highest cell of each keypoint's map, 1.

    Raises:
        ValueError: nobody has that many keypoints.
    """
    wanted = people.num_labelled * 2 >= people.skeleton.num_keypoints
    rows = np.flatnonzero(wanted & ~people.is_crowd)
    if not len(rows):
        raise ValueError(
            f"expected people with half of their {people.skeleton.num_keypoints} keypoints "
            "labelled, received none; take another file or the nodes themselves"
        )
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:count])
    images, found = people.images, []
    for part in _parts(rows):
        candidates = people.candidates(images[part])
        maps = network(draw_people(candidates, people.boxes[part], size, kind))
        found.append(highest_cells(np.asarray(maps)))
    return np.concatenate(found)


def highest_cells(maps: np.ndarray) -> np.ndarray:
    """Finds the highest cell of (N, h, w, K) maps; (N, K, 3) float32 x, y of its middle, 1."""
    count, height, width, num_keypoints = maps.shape
    best = maps.reshape(count, height * width, num_keypoints).argmax(axis=1)
    middle = best % width + 0.5, best // width + 0.5
    return np.stack([*middle, np.ones_like(best)], axis=-1).astype(np.float32)


def cluster(
    structures: np.ndarray,
    sigmas: Sequence[float],
    count: int = 6,
    area: float = AREA_SHARE * SIZE[0] * SIZE[1],
    seed: int = 0,
    max_steps: int = 300,
) -> Clusters:
    """Clusters poses by k-means with OKS as the similarity.

    The mean of a cluster weighs every keypoint of its members by its similarity. With OKS, which is
    nearly 0 for all but close poses, such a mean never lowers the members' mean OKS, so that the
    clustering converges; the plain mean lowers it and may go round in circles.

    Args:
        structures: (N, K, 3) x, y in cells; the third column is not used.
        sigmas: K OKS constants.
        count: of clusters.
        area: of a person in OKS, in cells: half of the grid, as people fill about half of their
            box. With COCO's sigmas a similarity of 0.5 is then 1.9 cells at an eye and 8 at a hip.
        seed: of the start, by k-means++ with distance 1 - OKS.
        max_steps: most updates.

    Raises:
        ValueError: fewer structures than clusters.
    """
    structures = np.asarray(structures, np.float64)
    if not 1 <= count <= len(structures):
        raise ValueError(
            f"expected 1 to {len(structures)} clusters, as many as structures, received {count}"
        )
    areas = np.full(count, float(area))
    poses = _start(structures, sigmas, areas, np.random.default_rng(seed))
    before = -1.0
    for step in range(1, max_steps + 1):
        similarity = keypoint_similarity(structures, poses, areas, sigmas)
        oks = similarity.mean(axis=-1)
        best, nearest = oks.max(axis=1), oks.argmax(axis=1)
        empty = np.setdiff1d(np.arange(count), nearest)
        if step == max_steps or (not len(empty) and best.mean() - before < 1e-7):
            break
        before = best.mean()
        poses = _means(structures, similarity, nearest)
        poses[empty] = structures[np.argsort(best, kind="stable")[: len(empty)]]
    return _sorted(poses, nearest, best, step)


def draw_clusters(clusters: Clusters, skeleton: Skeleton, size: tuple[int, int] = SIZE):
    """Draws the typical poses side by side, six in a row, each with its share and mean OKS.

    Args:
        clusters: from `cluster`.
        skeleton: what the K keypoints are.
        size: (height, width) of the grid in cells; the grey frame is the box.

    Returns:
        (H, W, 3) uint8 RGB. Left limbs orange, right ones blue, the others green.
    """
    height, width = (side * _ZOOM for side in size)
    pictures = []
    for pose, share, oks in zip(clusters.poses, clusters.shares, clusters.oks, strict=True):
        canvas = np.full((height + 2 * _BORDER + _HEAD, width + 2 * _BORDER, 3), _PAPER, np.uint8)
        corner = _BORDER, _BORDER + _HEAD
        far = corner[0] + width, corner[1] + height
        cv2.rectangle(canvas, corner, far, (190, 190, 190), 1)
        text = f"{100 * share:.1f} %   OKS {oks:.2f}"
        place = _BORDER, _HEAD
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        pose = np.concatenate([pose[:, :2] * _ZOOM + corner, pose[:, 2:]], axis=1)
        pictures.append(draw.draw_keypoints(canvas, pose[None], skeleton, limbs=True))
    return draw.tile(pictures, columns=6)


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, range(CHUNK, len(rows), CHUNK))


def _start(structures, sigmas, areas, rng) -> np.ndarray:
    """k-means++: structures drawn one by one, far ones more likely."""
    poses = structures[rng.integers(len(structures))][None]
    while len(poses) < len(areas):
        similarity = keypoint_similarity(structures, poses, areas[: len(poses)], sigmas)
        distance = 1 - similarity.mean(axis=-1).max(axis=1) + 1e-12
        chosen = rng.choice(len(structures), p=distance / distance.sum())
        poses = np.concatenate([poses, structures[chosen][None]])
    return poses


def _means(structures: np.ndarray, similarity: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """(N, K, 3), (N, C, K) and (N,) -> (C, K, 3); a keypoint far from all members is their mean."""
    members = np.eye(similarity.shape[1])[nearest][..., None]
    weights = members * (similarity + 1e-12)
    summed = np.einsum("nck,nkd->ckd", weights, structures)
    return summed / np.maximum(weights.sum(axis=0)[..., None], 1e-30)


def _sorted(poses: np.ndarray, nearest: np.ndarray, best: np.ndarray, steps: int) -> Clusters:
    sizes = np.bincount(nearest, minlength=len(poses))
    oks = np.bincount(nearest, best, minlength=len(poses)) / np.maximum(sizes, 1)
    order = np.argsort(-sizes, kind="stable")
    poses = poses[order].astype(np.float32)
    poses[..., 2] = 1
    return Clusters(poses, sizes[order] / len(nearest), oks[order], steps)
