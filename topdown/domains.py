"""The data sets of a recipe, and the heads that they are given."""

from collections.abc import Iterable

import numpy as np

from posekit.commands import UsageError
from posekit.datasets.coco import CocoDataset
from posekit.datasets.named import open_dataset, parse_word
from posekit.recipe_training import load_splits
from posekit.skeletons import Skeleton, union
from topdown.recipe import TopDownRecipe

SHARED = "pose"
"""Name of the head that several data sets share."""

Datasets = dict[str, CocoDataset]
"""Name -> data set."""


def open_splits(recipe: TopDownRecipe) -> tuple[Datasets, Datasets]:
    """Opens all training and held-out data sets of a recipe.

    Held-out are, where `val_datasets` does not say it, the same folders' `val_split`; while that is
    the usual "val", those of a training split such as train2017 are val2017.

    Raises:
        UsageError: two data sets of one name, held-out ones of other names, or `data` beside
            `datasets`.
        DatasetError: a data set that cannot be used.
    """
    if not recipe.datasets:
        train, held_out = load_splits(recipe, recipe.size[0] * 3 // 2)
        train = _first_images(train, recipe)
        return {"coco": train}, {"coco": train if held_out is train else held_out}
    if recipe.data is not None:
        raise UsageError(
            f"--data: expected none beside --datasets, received {recipe.data}; put it among them, "
            f"as coco:{recipe.data}"
        )
    train = _opened(recipe.datasets, recipe.train_split)
    train = {name: _first_images(dataset, recipe) for name, dataset in train.items()}
    words = recipe.val_datasets or [_held_out_word(w, recipe.val_split) for w in recipe.datasets]
    held_out = _opened(words, recipe.val_split)
    if not held_out.keys() <= train.keys():
        raise UsageError(
            f"--val-datasets: expected names out of {list(train)}, received {list(held_out)}"
        )
    return train, held_out


def chosen(recipe: TopDownRecipe, datasets: Datasets) -> Datasets:
    """Those that the recipe trains on and evaluates.

    Raises:
        UsageError: the recipe names one that is not there, or none is left.
    """
    if not recipe.only:
        return datasets
    found = {name: dataset for name, dataset in datasets.items() if name in recipe.only}
    if len(found) < len(set(recipe.only)):
        raise UsageError(
            f"--only: expected names out of {list(datasets)}, received {list(recipe.only)}; "
            "--datasets and --val-datasets need each of them"
        )
    return found


def chosen_shares(recipe: TopDownRecipe, names: Iterable[str]) -> tuple[float, ...]:
    """The shares in an epoch of all data sets, by name, cut down to those that are trained on.

    Raises:
        UsageError: as many shares as data sets were expected.
    """
    names = list(names)
    if not recipe.mix:
        return ()
    if len(recipe.mix) != len(names):
        raise UsageError(f"--mix: expected a share for each of {names}, received {recipe.mix}")
    pairs = zip(names, recipe.mix, strict=True)
    return tuple(share for name, share in pairs if not recipe.only or name in recipe.only)


def domain_skeletons(recipe: TopDownRecipe, train_sets: Datasets) -> dict[str, Skeleton]:
    """Name of each head -> its keypoints, by `TopDownRecipe.heads`.

    Args:
        recipe: says whether data sets share a head.
        train_sets: all of the recipe.
    """
    skeletons = {name: dataset.skeleton for name, dataset in train_sets.items()}
    if len(skeletons) == 1 or recipe.heads == "separate":
        return skeletons
    return {SHARED: union(*skeletons.values(), name="+".join(skeletons))}


def _opened(words, split: str) -> Datasets:
    datasets = {}
    for word in words:
        name = parse_word(word).name
        if name in datasets:
            raise UsageError(
                f"--datasets: expected a name once, received {name!r} twice; put NAME= in front"
            )
        datasets[name] = open_dataset(word, split)
    return datasets


def _first_images(dataset: CocoDataset, recipe: TopDownRecipe) -> CocoDataset:
    return dataset.subset(np.arange(len(dataset))[: recipe.train_images])


def _held_out_word(word: str, val_split: str) -> str:
    parsed = parse_word(word)
    split = parsed.split or ""
    if val_split == "val" and split.startswith("train"):
        val_split += split.removeprefix("train")
    return f"{parsed.name}={parsed.kind}:{parsed.path}:{val_split}"
