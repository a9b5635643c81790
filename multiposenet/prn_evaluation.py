"""Assignment AP: how well known keypoints are given to known boxes (Table 3, "both GT")."""

from collections.abc import Callable, Iterator, Sequence
from typing import get_args

import numpy as np

from multiposenet.assignment import (
    Rule,
    assign,
    fill_unseen,
    max_maps,
    pose_scores,
    softmax_maps,
    take_keypoints,
    ucr_maps,
    window_scores,
)
from multiposenet.prn_inputs import SIZE, InputKind, draw_people, locate
from multiposenet.prn_people import AnnotationError, People
from posekit.boxes import iou_matrix
from posekit.metrics.coco import CocoMetric
from posekit.metrics.coco_scores import CocoScores

RULES: tuple[Rule, ...] = get_args(Rule)
COLUMNS = ("AP", "AP50", "AP75", "APM", "APL")
"""Figures of Table 3."""
Method = Callable
"""(N, h, w, K) inputs -> (N, h, w, K) maps, both tensors."""
_PAIRS = 1 << 14
"""Pairs of a person and another one's keypoints in one call of a method; 20 kB each."""
Figures = dict[str, dict[tuple[str, Rule], CocoScores]]
"""Name of a set of images -> (method, rule) -> official numbers."""


def floors(prior: np.ndarray | None = None) -> dict[str, Method]:
    """What needs no network: identity, softmax of the input, Max, and UCR where a prior is given.

    Args:
        prior: (h, w, K) from `prn_people.prior_maps` of the training people.
    """
    methods = {"identity": lambda x: x, "softmax": softmax_maps, "Max": max_maps}
    if prior is not None:
        methods["UCR"] = lambda x: ucr_maps(x, prior)
    return methods


def assignment_ap(
    methods: dict[str, Method],
    people: People,
    images: np.ndarray | None = None,
    rules: Sequence[Rule] = RULES,
    subsets: dict[str, np.ndarray] | None = None,
    size: tuple[int, int] = SIZE,
    chunk: int = 512,
    kind: InputKind = "peaks",
) -> Figures:
    """Groups the true keypoints of images into their true boxes and compares with the truth.

    Args:
        methods: name -> what makes maps of inputs; traced once as part of a tf.function.
        people: whose boxes take part, with `truth`. The published figures let all take part, also
            crowds and people without keypoints.
        images: (n,) numbers of the images; all when None.
        rules: of choosing candidates; see `assignment.assign`.
        subsets: name -> numbers of images that are also measured alone.
        size: (height, width) of the grid.
        chunk: people that are read at once; more only where one image has more.
        kind: of the inputs of all methods.

    Returns:
        Figures of "all" and of each subset.

    Raises:
        AnnotationError: the people come without truth.
    """
    if people.truth is None:
        raise AnnotationError(
            "expected a COCO keypoint file (.json, .json.gz) to evaluate on, received an .npz of "
            "people, which lacks the areas that OKS needs"
        )
    images = np.arange(len(people.image_ids)) if images is None else images
    parts = {"all": images} | (subsets or {})
    keys = [(name, rule) for name in methods for rule in rules]
    metrics = {part: {key: CocoMetric(people.truth, "keypoints") for key in keys} for part in parts}
    members = {
        part: set(np.intersect1d(images, numbers).tolist()) for part, numbers in parts.items()
    }
    scorers = {name: _scorer(method, people, size, kind) for name, method in methods.items()}
    for image, key, keypoints in _grouped(scorers, people, images, rules, chunk):
        scores = pose_scores(keypoints)
        found = scores > 0
        for part in parts:
            if image in members[part]:
                update = metrics[part][key].update
                update(people.image_ids[image], scores[found], keypoints[found])
    return {
        part: {key: metric.result() for key, metric in by_key.items()}
        for part, by_key in metrics.items()
    }


def crowded_images(people: People, boxes: int = 3, overlap: float = 0.1) -> np.ndarray:
    """Finds the images where people are hard to tell apart.

    Args:
        people: crowd annotations and people without keypoints do not count.
        boxes: so many people's boxes, at least, overlap another one of them.
        overlap: least intersection over union of two boxes that overlap.

    Returns:
        (n,) numbers of the images.
    """
    people = people.with_boxes("labelled")
    found = []
    for image in np.flatnonzero(np.diff(people.first) >= boxes):
        own = people.boxes[people.first[image] : people.first[image + 1]]
        iou = iou_matrix(own, own)
        np.fill_diagonal(iou, 0)
        if (iou >= overlap).any(axis=1).sum() >= boxes:
            found.append(image)
    return np.array(found, np.int64)


def as_table(figures: Figures) -> str:
    """Lays out figures in percent, one line per set of images, method and rule."""
    lines = [f"{'images':9s}{'method':12s}{'rule':12s}" + "".join(f"{n:>7s}" for n in COLUMNS)]
    for part, found in figures.items():
        for (method, rule), scores in found.items():
            values = [scores.metrics[name] for name in COLUMNS]
            cells = ["      -" if value is None else f"{100 * value:7.1f}" for value in values]
            lines.append(f"{part:9s}{method:12s}{rule:12s}{''.join(cells)}")
    return "\n".join(lines)


def as_dict(figures: Figures) -> dict[str, dict[str, dict[str, float | None]]]:
    """Figures for JSON: set of images -> "method, rule" -> name -> 0 to 1."""
    return {
        part: {f"{method}, {rule}": scores.metrics for (method, rule), scores in found.items()}
        for part, found in figures.items()
    }


def _scorer(method: Method, people: People, size: tuple[int, int], kind: InputKind) -> Callable:
    """Compiles candidates (N, M, K, 3), boxes (N, 4) -> maps, scores, members; see `prn_inputs`."""
    import tensorflow as tf

    def score(candidates, boxes):
        cells, member = locate(candidates, boxes, size)
        maps = method(draw_people(candidates, boxes, size, kind))
        return maps, window_scores(maps, cells, member), member

    shapes = (None, None, people.skeleton.num_keypoints, 3), (None, 4)
    signature = [tf.TensorSpec(shape) for shape in shapes]
    # Concrete: one function a validation is no reason to warn of frequent tracing.
    compiled = tf.function(score, input_signature=signature).get_concrete_function()

    def scored(candidates, boxes):
        step = max(1, _PAIRS // max(1, candidates.shape[1]))
        parts = (slice(i, i + step) for i in range(0, max(1, len(boxes)), step))
        found = [compiled(*map(tf.constant, (candidates[p], boxes[p]))) for p in parts]
        return tuple(np.concatenate(values) for values in zip(*found, strict=True))

    return scored


def _grouped(
    scorers, people: People, images: np.ndarray, rules, chunk: int
) -> Iterator[tuple[int, tuple[str, Rule], np.ndarray]]:
    """Yields (image, (method, rule), keypoints (N, K, 3)) of every image."""
    for part in _chunks(people, images, chunk):
        rows, own = _rows(people, part)
        candidates = people.candidates(np.repeat(part, [s.stop - s.start for s in own]))
        boxes = people.boxes[rows]
        for name, scorer in scorers.items():
            maps, scores, member = scorer(candidates, boxes)
            for image, here, rule in _each(part, own, rules):
                peaks = candidates[here][:1].reshape(-1, *candidates.shape[2:])
                keypoints = take_keypoints(peaks, assign(scores[here], member[here], rule))
                if rule == "published" and len(keypoints):
                    keypoints = fill_unseen(keypoints, peaks, maps[here], boxes[here])
                yield image, (name, rule), keypoints


def _each(images, own, rules) -> list[tuple[int, slice, Rule]]:
    pairs = zip(images.tolist(), own, strict=True)
    return [(image, here, rule) for image, here in pairs for rule in rules]


def _chunks(people: People, images: np.ndarray, chunk: int) -> list[np.ndarray]:
    """Cuts images into parts of about `chunk` people."""
    before = np.cumsum(np.diff(people.first)[images]) // chunk
    return np.split(images, np.flatnonzero(np.diff(before)) + 1)


def _rows(people: People, images: np.ndarray) -> tuple[np.ndarray, list[slice]]:
    """Returns the people of some images, and where in that list each image's people are."""
    rows = [np.arange(people.first[i], people.first[i + 1]) for i in images]
    ends = np.cumsum([len(row) for row in rows]).tolist()
    own = [slice(start, stop) for start, stop in zip([0, *ends], ends, strict=False)]
    return np.concatenate([np.zeros(0, np.int64), *rows]), own
