"""MDPN's Table 1 at small scale: ways to learn from several data sets, on drawn people.

Three drawn data sets differ as COCO, MPII and PoseTrack do (`posekit.datasets.synthetic_domains`);
every strategy is judged by the PoseTrack keypoints of people in held-out PoseTrack-like videos.
"""

import dataclasses
import json
import sys
from pathlib import Path

from posekit.atomic_files import write_file
from posekit.datasets.coco import CocoDataset, load_coco
from posekit.datasets.synthetic_domain_folder import synthetic_domain
from posekit.metrics.coco import CocoMetric
from posekit.metrics.dataset_truth import truth_of
from posekit.skeletons import POSETRACK, Skeleton, remap_keypoints
from topdown.combination import PAPER, Combination
from topdown.domains import SHARED
from topdown.evaluation import BoxedImages, predicted_images, truth_boxes
from topdown.prediction import TopDownPredictor, load_topdown
from topdown.recipe import FineTuning, TopDownRecipe
from topdown.stages import is_finished, stage_recipes
from topdown.train import train_topdown

DOMAINS = "coco", "mpii", "posetrack"
LIMBS = tuple(name for name in POSETRACK.names if name not in ("neck", "nose", "head_top"))
PARTS = {
    "wrist": ("left_wrist", "right_wrist"),
    "ankle": ("left_ankle", "right_ankle"),
    "limbs": LIMBS,
    "all": POSETRACK.names,
}
"""Columns of the table: the keypoints that OKS counts."""
CROPS = 16
"""Of a step."""
BRANCHES = "coco", "posetrack", "coco+posetrack", "A", "B"


def study_recipes(output: Path, epoch_steps: int, seed: int) -> dict[str, TopDownRecipe]:
    """Strategy -> recipe, in the order in which they can be trained.

    An epoch stands for five of the paper: from scratch 28 (Simple Baselines' 140, the rate drops at
    18 and 24), transfer 4 (20), joint 24 (120, the rate drops at 18, mining from 20), fine-tunings
    3 and 4 (15 and 20). All epochs have the same number of steps, whatever the data.

    Args:
        output: folder of the runs and of the drawn data sets.
        epoch_steps: of `CROPS` crops.
        seed: of weights, order and augmentation.
    """
    words = {name: f"{name}=synthetic:{output / 'data'}" for name in DOMAINS}
    base = TopDownRecipe(
        output=output / f"seed{seed}",
        seed=seed,
        backbone="resnet18-half",
        backbone_weights="none",
        filters=64,
        size=(96, 64),
        sigma=1.5,
        rotation=20.0,
        batch_size=CROPS,
        epoch_steps=epoch_steps,
        validate_every=1000,
        eval_images=60,
        learning_rate=2e-3,
        epochs=28,
        drops=(18, 24),
    )

    def recipe(name: str, datasets, **changes) -> TopDownRecipe:
        chosen = tuple(words[dataset] for dataset in datasets)
        return dataclasses.replace(base, name=name, datasets=chosen, **changes)

    transfer = dict(init=base.output / "coco" / "last.keras", learning_rate=2e-4)
    transfer |= dict(epochs=4, drops=(2, 3))
    joint = dict(heads="separate", epochs=24, drops=(18,), mining_from=20)
    tuned = FineTuning("coco", (3, 4), 2e-4, (2,))
    return {
        "MPII": recipe("mpii", ["mpii"]),
        "COCO": recipe("coco", ["coco"]),
        "PoseTrack": recipe("posetrack", ["posetrack"]),
        "COCO -> PoseTrack": recipe("coco-posetrack", ["posetrack"], **transfer),
        "COCO -> PoseTrack + MPII": recipe(
            "coco-posetrack-mpii", ["posetrack", "mpii"], **transfer
        ),
        "Mixed": recipe("mixed", DOMAINS),
        "MDPN": recipe("mdpn", DOMAINS, fine_tuning=tuned, **joint),
    }


def compare_domains(output: Path, epoch_steps: int, seed: int) -> list[dict]:
    """Trains every strategy, evaluates it and writes table.json and table.txt; can be resumed.

    Returns:
        Rows of the table: strategy, predicted by which heads, figures, steps of training.
    """
    data = synthetic_domain("posetrack", output / "data")
    held_out = {name: load_coco(data, "val", part_of(names)) for name, names in PARTS.items()}
    rows = []
    for strategy, recipe in study_recipes(output, epoch_steps, seed).items():
        if not is_finished(recipe_of_best(recipe)):
            print(f"training {strategy}", file=sys.stderr)
            train_topdown(recipe)
        for label, path, heads in trained_models(strategy, recipe):
            figures = figures_of(path, heads, held_out)
            rows.append({"strategy": label, "heads": heads, **figures})
            print(line(rows[-1]), file=sys.stderr)
    folder = output / f"seed{seed}"
    content = {"rows": rows, "protocol": protocol(held_out["all"], epoch_steps, seed)}
    write_file(folder / "table.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_file(folder / "table.txt", table(rows))
    return rows


def recipe_of_best(recipe: TopDownRecipe) -> TopDownRecipe:
    """The recipe whose metrics.json says that a strategy is trained to its end."""
    return stage_recipes(recipe)[-1]


def trained_models(strategy: str, recipe: TopDownRecipe) -> list[tuple[str, Path, str]]:
    """(label, file, heads) of all that is evaluated of a strategy; the last weights of each."""
    run = recipe.output / recipe.name
    if strategy != "MDPN":
        (head,) = {SHARED} if len(recipe.datasets) > 1 else {recipe.datasets[0].split("=")[0]}
        return [(strategy, run / "last.keras", head)]
    joint = [("MDPN without fine-tuning", run / "joint" / "last.keras", b) for b in BRANCHES]
    return joint + [("MDPN", run / "heads" / "last.keras", b) for b in BRANCHES]


def figures_of(path: Path, heads: str, held_out: dict[str, CocoDataset]) -> dict[str, float]:
    """AP by OKS of each part of the body, with ground-truth boxes and flip test."""
    combination = PAPER.get(heads) or Combination("first", (heads,), head="interpolate")
    predictor = TopDownPredictor(load_topdown(path), flip=True, combination=combination)
    metrics = {name: CocoMetric(truth_of(d), "keypoints") for name, d in held_out.items()}
    people = held_out["all"]
    for example, poses in predicted_images(predictor, BoxedImages(people, truth_boxes(people))):
        for name, dataset in held_out.items():
            keypoints = remap_keypoints(poses.keypoints, poses.skeleton, dataset.skeleton)
            metrics[name].update(example["image_id"], poses.scores, keypoints)
    found = {name: metric.result().metrics["AP"] for name, metric in metrics.items()}
    return {name: round(100 * ap, 1) for name, ap in found.items()}


def part_of(names: tuple[str, ...]) -> Skeleton:
    """PoseTrack's skeleton cut down to some keypoints."""
    places = [POSETRACK.names.index(name) for name in names]
    flip = tuple(names.index(POSETRACK.names[POSETRACK.flip[place]]) for place in places)
    sigmas = tuple(POSETRACK.sigmas[place] for place in places)
    return Skeleton("part", tuple(names), (), flip, sigmas)


def protocol(dataset: CocoDataset, epoch_steps: int, seed: int) -> dict:
    """What the figures are computed from."""
    return {
        "data": "synthetic_domains, PoseTrack-like val",
        "images": len(dataset),
        "people": int((dataset.index.keypoints[:, :, 2] > 0).any(axis=1).sum()),
        "metric": "COCO keypoint AP by OKS, percent, of the keypoints of a column",
        "boxes": "ground truth",
        "flip": True,
        "steps_per_epoch": epoch_steps,
        "crops_per_step": CROPS,
        "seed": seed,
    }


def line(row: dict) -> str:
    """A row of the table as text."""
    figures = "  ".join(f"{row[name]:6.1f}" for name in PARTS)
    return f"{row['strategy']:26s}  {row['heads']:16s}  {figures}"


def table(rows: list[dict]) -> str:
    """The table as text."""
    head = "  ".join(f"{name:>6s}" for name in PARTS)
    return "\n".join([f"{'strategy':26s}  {'heads':16s}  {head}", *map(line, rows)]) + "\n"
