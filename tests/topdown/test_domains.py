import dataclasses

import pytest

from posekit.commands import UsageError
from posekit.datasets.coco import DatasetError
from posekit.datasets.synthetic import write_coco
from posekit.skeletons import COCO, MPII, POSETRACK
from topdown.domains import SHARED, chosen, chosen_shares, domain_skeletons, open_splits
from topdown.recipe import TopDownRecipe
from topdown.train import training_samples

THREE = {"coco": COCO, "mpii": MPII, "posetrack": POSETRACK}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> TopDownRecipe:
    """Three data sets of one training and one held-out picture."""
    root = tmp_path_factory.mktemp("domains")
    for name, skeleton in THREE.items():
        for split in ("train", "val"):
            write_coco(
                root / name, split, 2, (64, 96), people=(2, 2), skeleton=skeleton, crowding=0
            )
    return TopDownRecipe(datasets=tuple(f"{name}=coco:{root / name}" for name in THREE))


def changed(recipe, **changes):
    return dataclasses.replace(recipe, **changes)


def test_each_data_set_has_its_own_head_or_all_share_one(recipe):
    train, held_out = open_splits(recipe)
    assert list(train) == list(held_out) == list(THREE)
    separate = domain_skeletons(changed(recipe, heads="separate"), train)
    assert {name: s.names for name, s in separate.items()} == {
        name: s.names for name, s in THREE.items()
    }
    (name,), (shared,) = zip(*domain_skeletons(recipe, train).items(), strict=True)
    assert name == SHARED and shared.num_keypoints == 21  # MDPN, section 2.1: mixed
    alone = {"mpii": train["mpii"]}
    assert domain_skeletons(recipe, alone).keys() == {"mpii"}


def test_what_is_trained_on_may_be_fewer_than_the_heads(recipe):
    recipe = changed(recipe, only=("mpii", "posetrack"), mix=(3.0, 2.0, 1.0), heads="separate")
    train, _ = open_splits(recipe)
    assert list(chosen(recipe, train)) == ["mpii", "posetrack"]
    assert chosen_shares(recipe, train) == (2.0, 1.0)
    shares = chosen_shares(recipe, train)
    samples = training_samples(
        recipe, chosen(recipe, train), domain_skeletons(recipe, train), shares
    )
    domains = {int(samples.sample(row)[1]["domain"]) for row in range(len(samples.people))}
    assert domains == {1, 2}  # of the heads coco, mpii, posetrack
    with pytest.raises(UsageError, match="--only: expected names out of"):
        chosen(changed(recipe, only=("hands",)), train)
    with pytest.raises(UsageError, match="--mix: expected a share for each of"):
        chosen_shares(changed(recipe, mix=(1.0,)), train)


def test_hard_keypoints_are_mined_from_an_epoch_on(recipe):
    recipe = changed(recipe, mining_from=2, epoch_steps=5, batch_size=4)
    train, _ = open_splits(recipe)
    samples = training_samples(recipe, train, domain_skeletons(recipe, train))
    mined = [bool(samples.sample(0, draw)[1]["mining"]) for draw in (0, 39, 40)]
    assert mined == [False, False, True]  # 2 epochs of 5 steps of 4 samples


def test_names_that_do_not_fit(recipe):
    first = recipe.datasets[0]
    with pytest.raises(UsageError, match="expected a name once, received 'coco' twice"):
        open_splits(changed(recipe, datasets=(first, first)))
    with pytest.raises(UsageError, match="--val-datasets: expected names out of"):
        open_splits(changed(recipe, datasets=(first,), val_datasets=(recipe.datasets[1],)))
    with pytest.raises(DatasetError, match="KIND"):
        open_splits(changed(recipe, datasets=("yolo:somewhere",)))
