import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

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


def test_the_readme_s_words_find_their_held_out_splits(tmp_path):
    for split in ("train2017", "val2017"):
        write_coco(tmp_path / "coco", split, 2, (64, 96), people=(1, 1))
    (tmp_path / "mpii" / "annot").mkdir(parents=True)
    (tmp_path / "mpii" / "images").mkdir()
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "mpii" / "images" / "a.png")
    person = {"image": "a.png", "joints": [[30.0, 20.0 + k] for k in range(16)]}
    person |= {"joints_vis": [1] * 16, "center": [30.0, 28.0], "scale": 0.2}
    for split in ("train", "valid"):
        (tmp_path / "mpii" / "annot" / f"{split}.json").write_text(json.dumps([person]))
    words = f"coco:{tmp_path / 'coco'}:train2017", f"mpii:{tmp_path / 'mpii'}"
    train, held_out = open_splits(TopDownRecipe(datasets=words))
    files = [d.annotation_file.name for part in (train, held_out) for d in part.values()]
    assert files == [
        *("person_keypoints_train2017.json", "train.json"),
        *("person_keypoints_val2017.json", "valid.json"),
    ]
    with pytest.raises(DatasetError, match="person_keypoints_dev.json"):  # what is said is taken
        open_splits(TopDownRecipe(datasets=words, val_split="dev"))


def test_few_images_of_each_data_set(recipe):
    train, held_out = open_splits(changed(recipe, train_images=1))
    assert [len(d) for d in train.values()] == [1, 1, 1]
    assert [len(d) for d in held_out.values()] == [2, 2, 2]


def test_data_beside_data_sets_is_refused(recipe, tmp_path):
    with pytest.raises(UsageError, match="--data: expected none beside --datasets"):
        open_splits(changed(recipe, data=tmp_path))
