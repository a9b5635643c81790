"""Every recipe builds its network and takes a training step on tiny data."""

import dataclasses
import gc
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from ledger_commands import TRAININGS, parse

from multiposenet.detection_subnet import detection_model
from multiposenet.prn import prn_loss, training_form
from multiposenet.recipes import KEYPOINT_RECIPES
from multiposenet.train_keypoint import build_keypoint_model
from multiposenet.train_prn import build_prn
from posekit.backbones import make_backbone
from posekit.datasets.named import parse_word
from posekit.losses import detection_loss, heatmap_loss
from posekit.recipe_training import make_optimizer
from posekit.skeletons import COCO, MPII, POSETRACK
from topdown.domains import domain_skeletons
from topdown.losses import pose_loss
from topdown.networks import make_network, settings_from
from topdown.ssd import ssd
from topdown.ssd_loss import ssd_loss
from topdown.train_ssd import settings_of_recipe

SKELETONS = {"coco": COCO, "mpii": MPII, "mpii-centre": MPII, "posetrack": POSETRACK}


@pytest.fixture(autouse=True)
def memory_of_one_network():
    yield
    keras.utils.clear_session()
    gc.collect()


def topdown_step(recipe):
    recipe = dataclasses.replace(recipe, size=(64, 64), init=None)
    words = [parse_word(word) for word in recipe.datasets]
    kinds = {word.name: SimpleNamespace(skeleton=SKELETONS[word.kind]) for word in words}
    domains = domain_skeletons(recipe, kinds or {"coco": SimpleNamespace(skeleton=COCO)})
    model, _ = make_network(recipe, domains)
    rng, count = np.random.default_rng(0), len(domains)
    keypoints = rng.uniform(0, 64, (count, max(s.num_keypoints for s in domains.values()), 3))
    mining = np.full(count, recipe.mining_from is not None)
    targets = {"keypoints": np.float32(keypoints), "domain": np.arange(count), "mining": mining}
    weights = {"keypoints": np.ones(keypoints.shape[:2], np.float32)}
    settings = settings_from(recipe, domains)
    crops = rng.uniform(0, 255, (count, 64, 64, 3)).astype(np.float32)
    return model, crops, lambda out: pose_loss(out, targets, weights, settings, recipe.mining)


def keypoint_step(recipe):
    model, _, _ = build_keypoint_model(recipe, COCO)
    rng = np.random.default_rng(0)
    maps = {"heatmaps": rng.random((1, 16, 16, 17)), "mask": rng.random((1, 16, 16, 1))}
    maps = {name: np.float32(value) for name, value in maps.items()}
    weights = dict.fromkeys(maps, np.ones((1, 16, 16, 1), np.float32))
    image = rng.integers(0, 256, (1, 64, 64, 3), np.uint8)
    return model, image, lambda out: heatmap_loss(out, maps, weights, recipe.mask_weight)


def detector_step(recipe):
    backbone, _ = make_backbone(KEYPOINT_RECIPES[recipe.keypoint_run][1].backbone)
    model = detection_model(backbone, recipe.fpn_depth, recipe.depth)
    return model, *boxes_step((1, 128, 128, 3), detection_loss)


def ssd_step(recipe):
    model = ssd(settings_of_recipe(recipe), recipe.width)
    return model, *boxes_step((1, recipe.size, recipe.size, 3), ssd_loss)


def boxes_step(shape, loss):
    """An image, and the loss where every tenth default box is a person's."""
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def of_outputs(out):
        person = np.zeros((1, out["box_deltas"].shape[1], 1), np.float32)
        person[:, ::10] = 1
        deltas = np.ones((1, person.shape[1], 4), np.float32)
        weights = {"class": np.ones_like(person), "box_deltas": person}
        return loss(out, {"class": person, "box_deltas": deltas}, weights)

    return image, of_outputs


def prn_step(recipe):
    model = training_form(build_prn(recipe, 17))
    keypoints = np.random.default_rng(0).uniform(0, 99, (2, 17, 3)).astype(np.float32)
    boxes = np.tile(np.float32([0, 0, 100, 100]), (2, 1))
    targets = {"keypoints": keypoints, "boxes": boxes}
    people = {"candidates": keypoints[:, None], "boxes": boxes}
    return model, people, lambda out: prn_loss(out, targets, recipe.softmax)


STEPS = {
    "train_topdown.py": topdown_step,
    "train_keypoint.py": keypoint_step,
    "train_detector.py": detector_step,
    "train_prn.py": prn_step,
    "train_ssd.py": ssd_step,
}
QUICK = [
    "train_topdown.py demo",
    "train_topdown.py mdpn-r50",
    "train_topdown.py hourglass2-mpii",
    "train_keypoint.py demo",
    "train_detector.py demo",
    "train_prn.py prn-1x50",
    "train_ssd.py ssd-demo",
]
BY_RECIPE = {" ".join(command.split()[:2]): command for command in reversed(TRAININGS)}


@pytest.mark.parametrize("name", QUICK)
def test_a_recipe_of_each_kind_takes_a_step(name):
    take_a_step(BY_RECIPE[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BY_RECIPE.keys() - set(QUICK)))
def test_every_recipe_takes_a_step(name):
    take_a_step(BY_RECIPE[name])


def take_a_step(command):
    """The row's network, in full, learns from one small example by the row's optimiser."""
    recipe = parse(command)
    if hasattr(recipe, "backbone_weights"):
        recipe = dataclasses.replace(recipe, backbone_weights="none")
    keras.utils.set_random_seed(0)
    model, inputs, losses = STEPS[command.split()[0]](recipe)
    with tf.GradientTape() as tape:
        loss = sum(tf.reduce_sum(term) for term in losses(model(inputs, training=True)).values())
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert np.isfinite(loss) and loss > 0
    missing = [
        v.path for v, g in zip(model.trainable_variables, gradients, strict=True) if g is None
    ]
    assert missing == []
    before = [v.numpy() for v in model.trainable_variables[-4:]]
    optimizer = make_optimizer(recipe, steps_per_epoch=10, epochs=20)
    optimizer.apply(gradients, model.trainable_variables)
    after = [v.numpy() for v in model.trainable_variables[-4:]]
    assert any((old != new).any() for old, new in zip(before, after, strict=True))
    assert all(np.isfinite(new).all() for new in after)
