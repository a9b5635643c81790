"""Official COCO numbers of keypoints and person boxes: pycocotools does all matching and counting.

Around it stands what it leaves to its users: it counts NaN keypoints as perfect, fails on an empty
list of results and stops at a bare assertion when image ids differ.
"""

import contextlib
import io
from importlib.metadata import version

import numpy as np

from posekit.metrics.coco_results import Kind
from posekit.metrics.coco_scores import CocoScores
from posekit.metrics.coco_truth import MAX_VALUE, CocoTruth
from posekit.skeletons import COCO


class EvaluationError(ValueError):
    """A ground-truth or results file that cannot be evaluated."""

    exit_code = 2


class CocoMetric:
    """The evaluation of one kind of results, image by image.

    Of an evaluated image only the scores and matches of its results stay, some kilobytes.

    Args:
        truth: the ground truth.
        kind: "keypoints" or "bbox".

    Raises:
        EvaluationError: for keypoints, when the ground truth has none.
    """

    def __init__(self, truth: CocoTruth, kind: Kind):
        from pycocotools.cocoeval import COCOeval

        if kind == "keypoints" and truth.skeleton is None:
            raise EvaluationError(
                "expected a person category that names its keypoints, received one without; "
                "use a ground-truth file of keypoints, such as person_keypoints_val2017.json"
            )
        self.truth = truth
        self.kind = kind
        self._evaluation = COCOeval(iouType=kind)
        self._evaluation.params.catIds = [truth.category_id]
        if kind == "keypoints" and truth.skeleton != COCO:  # ours differ in the last bit
            self._evaluation.params.kpt_oks_sigmas = np.array(truth.skeleton.sigmas)
        self._records: dict[int, list[dict[str, np.ndarray] | None]] = {}
        self._people = {"ground_truth": 0, "ignored": 0}
        self._results = {"evaluated": 0, "beyond_limit": 0}
        self._predicted = 0

    def update(
        self, image_id: int, scores: np.ndarray, values: np.ndarray, areas: np.ndarray | None = None
    ) -> None:
        """Adds one image; one without results counts by its ground truth.

        Args:
            image_id: of the ground truth, not added before.
            scores: (N,).
            values: (N, K, 3) keypoints x, y, score, or (N, 4) boxes x, y, width, height.
            areas: (N,), px²; None: of the boxes, or of the boxes around all keypoints. Decides only
                whether an unmatched result counts against medium and large people.

        Raises:
            ValueError: an unknown or repeated image, shapes that do not belong together, a number
                that is not finite (pycocotools counts NaN keypoints as perfect).
        """
        people = self.truth.people(image_id)
        if image_id in self._records:
            raise ValueError(f"expected every image once, received id {image_id} again")
        scores, values = np.asarray(scores, np.float64), np.asarray(values, np.float64)
        self._check(image_id, scores, values)
        areas = _areas(values) if areas is None else areas
        limit = self._evaluation.params.maxDets[-1]
        best = np.argsort(-scores, kind="stable")[:limit]
        truths = self._truth_entries(people)
        results = self._result_entries(scores[best], values[best], np.asarray(areas)[best])
        self._records[int(image_id)] = self._match(int(image_id), truths, results)
        self._people["ground_truth"] += len(truths)
        self._people["ignored"] += sum(entry["ignore"] for entry in truths)
        self._results["evaluated"] += len(best)
        self._results["beyond_limit"] += len(scores) - len(best)
        self._predicted += len(scores) > 0

    def result(self) -> CocoScores:
        """Returns the numbers of all images so far; the others of the ground truth are skipped."""
        evaluation, params = self._evaluation, self._evaluation.params
        params.imgIds = sorted(self._records)  # ties between images are broken in this order
        sizes = range(len(params.areaRng))
        evaluation.evalImgs = [self._records[i][size] for size in sizes for i in params.imgIds]
        evaluation._paramsEval = params
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its own table
            evaluation.accumulate()
            evaluation.summarize()
        precision = evaluation.eval["precision"][:, :, 0, :, -1]
        evaluated, known = len(self._records), len(self.truth.image_ids)
        counts = {"ground_truth": known, "predicted": self._predicted, "evaluated": evaluated}
        return CocoScores(
            kind=self.kind,
            stats=tuple(evaluation.stats.tolist()),
            images=counts | {"skipped": known - evaluated, "unknown": 0},
            people=dict(self._people),
            results={"read": sum(self._results.values()), **self._results},
            protocol=self._protocol(),
            thresholds=params.iouThrs,
            recalls=params.recThrs,
            precisions={name: precision[..., i] for i, name in enumerate(params.areaRngLbl)},
        )

    def _check(self, image_id: int, scores: np.ndarray, values: np.ndarray) -> None:
        shape = (4,) if self.kind == "bbox" else self.truth.keypoints.shape[1:]
        if scores.ndim != 1 or values.shape != (len(scores), *shape):
            raise ValueError(
                f"image {image_id}: expected scores (N,) and {self.kind} (N, "
                f"{', '.join(map(str, shape))}) as in the ground truth, received {scores.shape} "
                f"and {values.shape}"
            )
        if not ((np.abs(scores) < MAX_VALUE).all() and (np.abs(values) < MAX_VALUE).all()):
            raise ValueError(
                f"image {image_id}: expected numbers below {MAX_VALUE:g}, received larger ones, "
                "infinity or NaN; a diverged network gives such"
            )

    def _truth_entries(self, people: slice) -> list[dict[str, object]]:
        truth = self.truth
        crowd = truth.is_crowd[people]
        ignore = crowd
        if self.kind == "keypoints":
            ignore = crowd | (truth.num_labelled[people] == 0)
        shapes = truth.keypoints if self.kind == "keypoints" else truth.boxes_xywh
        columns = {
            "bbox": truth.boxes_xywh[people].tolist(),
            self.kind: _flat(shapes[people]),
            "area": truth.areas[people].tolist(),
            "iscrowd": crowd.astype(int).tolist(),
            "ignore": ignore.astype(int).tolist(),
        }
        return _entries(columns)

    def _result_entries(
        self, scores: np.ndarray, values: np.ndarray, areas: np.ndarray
    ) -> list[dict[str, object]]:
        columns = {"score": scores.tolist(), self.kind: _flat(values), "area": areas.tolist()}
        return _entries(columns)

    def _match(
        self, image_id: int, truths: list[dict[str, object]], results: list[dict[str, object]]
    ) -> list[dict[str, np.ndarray] | None]:
        """Lets pycocotools match one image; returns a record for every size of people."""
        evaluation, params = self._evaluation, self._evaluation.params
        key = image_id, self.truth.category_id
        evaluation._gts[key], evaluation._dts[key] = truths, results
        similarity = evaluation.computeIoU if self.kind == "bbox" else evaluation.computeOks
        evaluation.ious[key] = similarity(*key)
        matched = [
            evaluation.evaluateImg(*key, size, params.maxDets[-1]) for size in params.areaRng
        ]
        for kept in (evaluation._gts, evaluation._dts, evaluation.ious):
            del kept[key]
        return [record and _compact(record) for record in matched]

    def _protocol(self) -> dict[str, object]:
        params = self._evaluation.params
        protocol = {
            "tool": f"pycocotools {version('pycocotools')} COCOeval",
            "kind": self.kind,
            "similarity": "OKS" if self.kind == "keypoints" else "IoU",
            "thresholds": np.round(params.iouThrs, 2).tolist(),
            "max_results_per_image": params.maxDets,
            "sizes": {
                name: [low**0.5, high**0.5]
                for name, (low, high) in zip(params.areaRngLbl, params.areaRng, strict=True)
            },
        }
        if self.kind == "keypoints":
            skeleton = self.truth.skeleton
            protocol |= {"skeleton": skeleton.name, "sigmas": list(skeleton.sigmas)}
        return protocol


def _flat(values: np.ndarray) -> list[list[float]]:
    return values.reshape(len(values), np.prod(values.shape[1:], dtype=int)).tolist()


def _entries(columns: dict[str, list]) -> list[dict[str, object]]:
    """Turns columns into one dict a row; ids from 1, since COCOeval takes 0 for "not matched"."""
    rows = zip(*columns.values(), strict=True)
    return [{"id": i, **dict(zip(columns, row, strict=True))} for i, row in enumerate(rows, 1)]


def _compact(record: dict[str, object]) -> dict[str, np.ndarray]:
    """Keeps what `COCOeval.accumulate` looks at, matches as one byte instead of eight."""
    return {
        "dtScores": np.array(record["dtScores"], np.float64),
        "dtMatches": record["dtMatches"] > 0,
        "dtIgnore": record["dtIgnore"],
        "gtIgnore": np.array(record["gtIgnore"], bool),
    }


def _areas(values: np.ndarray) -> np.ndarray:
    """Areas of boxes x, y, width, height, or of the boxes around keypoints, as `loadRes` does."""
    if values.ndim == 2:
        return values[:, 2] * values[:, 3]
    return np.prod(np.ptp(values[:, :, :2], axis=1), axis=1)
