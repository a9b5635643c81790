"""Measures of PoseTrack for files of predictions beside those of annotations."""

from pathlib import Path

from posekit.atomic_files import whole_files
from posekit.datasets.posetrack_files import read_sequence
from posekit.datasets.posetrack_results import read_results
from posekit.metrics.coco import EvaluationError
from posekit.metrics.posetrack import PoseTrackScores, evaluate


def evaluate_posetrack_files(
    annotations: str | Path, results: str | Path, compat: bool = False, estimate_heads: bool = False
) -> PoseTrackScores:
    """Evaluates a folder of predictions, or one file.

    Args:
        annotations: as `paired_files`, in the form of 2018 or 2017.
        results: as `paired_files`, likewise, whatever the annotations'.
        compat: as `posetrack.evaluate`.
        estimate_heads: as `posetrack.evaluate`.

    Raises:
        EvaluationError: naming the file, frame and person, and what was expected.
    """
    pairs = paired_files(Path(annotations), Path(results))
    try:
        truths = [read_sequence(truth, strict=True) for truth, _ in pairs]
        predictions = [read_results(prediction) for _, prediction in pairs]
    except (ValueError, OSError) as error:
        raise EvaluationError(str(error)) from error
    return evaluate(truths, predictions, compat, estimate_heads)


def paired_files(annotations: Path, results: Path) -> list[tuple[Path, Path]]:
    """Pairs the .json files of two folders by their names; two files belong together.

    Raises:
        EvaluationError: a folder without such files, or a file that only one of them has.
    """
    if annotations.is_file() and results.is_file():
        return [(annotations, results)]
    truths, predictions = _json_files(annotations), _json_files(results)
    missing, extra = sorted(truths.keys() - predictions.keys()), predictions.keys() - truths.keys()
    if missing:
        raise EvaluationError(
            f"{results}: expected a file of predictions for each of {len(truths)} sequences, found "
            f"none for {_list(missing)}; write empty predictions for a sequence without any"
        )
    if extra:
        raise EvaluationError(
            f"{results}: expected only files named as those of {annotations}, received "
            f"{_list(sorted(extra))} too; move them elsewhere"
        )
    return [(truths[name], predictions[name]) for name in sorted(truths)]


def _json_files(path: Path) -> dict[str, Path]:
    files = [path] if path.is_file() else whole_files(path, ".json")
    if not files:
        raise EvaluationError(f"{path}: expected .json files, one sequence each, found none")
    return {file.name: file for file in files}


def _list(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
