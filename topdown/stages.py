"""MDPN's three stages as three trainings, each with its own run folder.

Imports no TensorFlow.
"""

import dataclasses

from posekit.commands import UsageError
from posekit.datasets.named import parse_word
from posekit.loop.runs import RunError, plain_settings, read_settings, recipe_differences
from posekit.recipe_limits import check_numbers
from posekit.recipes import MAY_CHANGE
from topdown.recipe import FineTuning, TopDownRecipe

JOINT, HEADS = "joint", "heads"
"""Folders in OUTPUT/NAME of the first and the last stage; that between has its data set's name."""
METRICS = "metrics.json"
"""The last file that a run writes."""


def stage_recipes(recipe: TopDownRecipe) -> list[TopDownRecipe]:
    """Takes a recipe apart into the trainings that it consists of, in their order.

    Returns:
        The recipe alone where it has no fine-tuning. Else: the joint training; the whole network
        on one data set; and with all but the other heads frozen, these heads on theirs. Each
        starts from the last weights of the one before.

    Raises:
        UsageError: a fine-tuning that does not fit the data sets.

    Reference: Guo et al. 2018 (MDPN), sections 2.1 and 2.2. Whether hard keypoints are mined in the
        fine-tuning is not said: they are, from its start, where the joint training ends so.
    """
    tuned = recipe.fine_tuning
    if not tuned.domain:
        return [recipe]
    names = [parse_word(word).name for word in recipe.datasets]
    _check(recipe, names)
    run = recipe.output / recipe.name
    joint = dataclasses.replace(recipe, name=f"{recipe.name}/{JOINT}", fine_tuning=FineTuning())
    later = dataclasses.replace(
        joint,
        learning_rate=tuned.learning_rate,
        schedule="step",
        drops=(),
        drop_steps=(),
        steps=None,
        mining_from=None if recipe.mining_from is None else 0,
    )
    whole = dataclasses.replace(
        later,
        name=f"{recipe.name}/{tuned.domain}",
        init=run / JOINT / "last.keras",
        only=(tuned.domain,),
        epochs=tuned.epochs[0],
    )
    heads = dataclasses.replace(
        later,
        name=f"{recipe.name}/{HEADS}",
        init=run / tuned.domain / "last.keras",
        only=tuple(name for name in names if name != tuned.domain),
        frozen=(tuned.domain,),
        epochs=tuned.epochs[1],
        drops=tuned.drops,
    )
    check_numbers(joint)  # all of them now, and not after days of the first
    for stage in (whole, heads):
        check_numbers(stage, "--fine-tuning.")
    return [joint, whole, heads]


def is_finished(recipe: TopDownRecipe) -> bool:
    """Tells whether a stage has been trained and evaluated by this recipe.

    Raises:
        RunError: it was trained by another recipe.
    """
    run = recipe.output / recipe.name
    if not (run / METRICS).exists():
        return False
    differences = recipe_differences(read_settings(run)["recipe"], plain_settings(recipe))
    lines = [
        f"  {name}: {old!r} -> {new!r}"
        for name, (old, new) in differences.items()
        if name not in MAY_CHANGE
    ]
    if lines:
        raise RunError(
            "\n".join(
                [
                    f"expected the recipe that {run} was finished with, received another:",
                    *lines,
                    "go back to the first values, or choose another run folder",
                ]
            )
        )
    return True


def _check(recipe: TopDownRecipe, names: list[str]) -> None:
    domain = recipe.fine_tuning.domain
    if domain not in names or len(names) < 2 or domain in (JOINT, HEADS):
        raise UsageError(
            f"--fine-tuning.domain: expected one of several --datasets, none of them called "
            f"{JOINT} or {HEADS}, received {domain!r} out of {names}"
        )
    if recipe.heads != "separate" or recipe.frozen or recipe.only:
        raise UsageError(
            "--fine-tuning.domain: expected --heads separate, no --frozen and no --only, received "
            f"--heads {recipe.heads}, --frozen {recipe.frozen}, --only {recipe.only}"
        )
