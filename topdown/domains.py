"""The data sets of a recipe, and the heads that they are given."""

from collections.abc import Iterable

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

    Raises:
        UsageError: two data sets of one name, or held-out ones of other names.
        DatasetError: a data set that cannot be used.
    """
    if not recipe.datasets:
        train, held_out = load_splits(recipe, recipe.size[0] * 3 // 2)
        train = train.subset(range(len(train))[: recipe.train_images])
        return {"coco": train}, {"coco": train if held_out is train else held_out}
    train = _opened(recipe.datasets, recipe.train_split)
    words = recipe.val_datasets or [_without_split(word) for word in recipe.datasets]
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


def _without_split(word: str) -> str:
    parsed = parse_word(word)
    return f"{parsed.name}={parsed.kind}:{parsed.path}"
