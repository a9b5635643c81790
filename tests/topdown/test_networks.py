import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from posekit.commands import UsageError
from posekit.loop.train_step import make_train_step, prepare_optimizer
from posekit.skeletons import COCO, MPII, POSETRACK
from topdown.losses import pose_loss
from topdown.networks import freeze, make_network, settings_from, start_from, training_crop
from topdown.recipe import TopDownRecipe
from topdown.settings import settings_of

TINY = TopDownRecipe(
    network="mdpn", backbone="resnet18-half", backbone_weights="none", filters=8, size=(32, 32)
)
THREE = {"coco": COCO, "mpii": MPII, "posetrack": POSETRACK}


def network(domains, seed: int = 0, **changes) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return make_network(dataclasses.replace(TINY, **changes), domains)[0]


def crops(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def on_coco(tmp_path_factory):
    """A network with a COCO head, whose weights are all unlike those of a new one, and its file."""
    model = network({"coco": COCO})
    rng = np.random.default_rng(1)
    model.set_weights([w + rng.uniform(0.1, 0.2, w.shape) for w in model.get_weights()])
    path = tmp_path_factory.mktemp("networks") / "coco.keras"
    model.save(path)
    return model, path


def test_the_same_network_comes_back(on_coco):
    model, path = on_coco
    again = network({"coco": COCO}, seed=2, init=path)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_new_head_starts_with_the_keypoints_that_the_old_one_has(on_coco):
    model, path = on_coco
    fresh, swapped = network({"posetrack": POSETRACK}), network({"posetrack": POSETRACK}, init=path)
    for name in ("head", "intermediate"):
        old, new, start = (
            m.get_layer(f"{name}_{d}").get_weights()
            for m, d in ((model, "coco"), (swapped, "posetrack"), (fresh, "posetrack"))
        )
        for place, keypoint in enumerate(POSETRACK.names):
            source, column = (
                (old, COCO.names.index(keypoint)) if keypoint in COCO.names else (start, place)
            )
            np.testing.assert_array_equal(new[0][..., place], source[0][..., column])
            assert new[1][place] == source[1][column]
    back, old_back = (
        m.get_layer(f"intermediate_{d}_back").get_weights()[0][0, 0]
        for m, d in ((swapped, "posetrack"), (model, "coco"))
    )
    np.testing.assert_array_equal(back[POSETRACK.names.index("nose")], old_back[0])
    trunk = [x for x in swapped.layers if x.weights and "posetrack" not in x.name]
    assert len(trunk) == 7  # the backbone, and each deconvolution with its normalisation
    for layer in trunk:
        expected = model.get_layer(layer.name).get_weights()
        assert all(map(np.array_equal, layer.get_weights(), expected))


def test_the_head_of_the_same_domain_goes_before_others(tmp_path):
    source = network({"coco": COCO, "posetrack": POSETRACK})
    source.save(tmp_path / "two.keras")
    model = network({"posetrack": POSETRACK}, seed=1, init=tmp_path / "two.keras")
    for one, other in zip(
        model.get_layer("head_posetrack").get_weights(),
        source.get_layer("head_posetrack").get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_files_that_do_not_fit(on_coco, tmp_path):
    _, path = on_coco
    with pytest.raises(UsageError, match="--init .*deconv1"):
        start_from(network({"coco": COCO}, filters=4), path)
    with pytest.raises(UsageError, match="nowhere.keras is missing"):
        start_from(network({"coco": COCO}), tmp_path / "nowhere.keras")
    with pytest.raises(UsageError, match="--size: expected multiples of 32"):
        network({"coco": COCO}, size=(96, 72))


def test_frozen_outputs_stay_identical_to_the_bit():
    model = network(THREE, frozen=("coco",))
    before = model(crops(), training=False)
    weights = {v.path: v.numpy() for v in model.variables}
    optimizer = prepare_optimizer(
        model, keras.optimizers.Adam(0.1), tf.distribute.get_strategy(), None
    )
    settings = settings_of(model)

    def losses(outputs, targets, w):
        return pose_loss(outputs, targets, w, settings, 8)

    step = make_train_step(model, losses, optimizer, tf.distribute.get_strategy(), 4, None)
    keypoints = np.tile(np.float32([16, 16, 2]), (4, 17, 1))
    targets = {"domain": tf.constant([1, 1, 2, 2]), "mining": tf.fill([4], False)}
    targets |= {"keypoints": tf.constant(keypoints)}
    for _ in range(3):
        step((tf.constant(crops()), targets, {"keypoints": tf.ones((4, 17))}), tf.constant(0.0))
    after = model(crops(), training=False)
    for name in ("coco", "coco.intermediate", "mpii.intermediate"):
        np.testing.assert_array_equal(before[name], after[name])
    assert np.abs(np.subtract(before["mpii"], after["mpii"])).min() > 0
    changed = {path for path, value in weights.items() if (value != model_value(model, path)).any()}
    assert {path.split("/")[-2] for path in changed} == {"head_mpii", "head_posetrack"}


def model_value(model, path):
    return next(v.numpy() for v in model.variables if v.path == path)


def test_frozen_heads_must_be_there():
    with pytest.raises(UsageError, match="--frozen: expected heads out of .*'coco'"):
        freeze(network({"coco": COCO}), ("cocoa",))


def test_people_may_be_predicted_in_other_boxes_than_those_of_the_training():
    recipe = TopDownRecipe(test_margin=1.0, test_box_pixels=60.0)
    read, trained = settings_from(recipe, {"coco": COCO}).crop, training_crop(recipe)
    assert (read.margin, read.pixels, trained.margin, trained.pixels) == (1.0, 60.0, 1.25, 0.0)


HOURGLASS = dict(network="hourglass", size=(32, 32), stacks=2, depth=2, filters=8)


def test_an_hourglass_changes_its_head_keypoint_by_keypoint(tmp_path):
    source = network({"coco": COCO}, **HOURGLASS)
    rng = np.random.default_rng(1)
    source.set_weights([w + rng.uniform(0.1, 0.2, w.shape) for w in source.get_weights()])
    source.save(tmp_path / "coco.keras")
    fresh = network({"posetrack": POSETRACK}, **HOURGLASS)
    swapped = network({"posetrack": POSETRACK}, init=tmp_path / "coco.keras", **HOURGLASS)
    old, start, new = (
        {layer.name: layer.get_weights() for layer in m.get_layer("hourglass2").layers}
        for m in (source, fresh, swapped)
    )
    nose, top = POSETRACK.names.index("nose"), POSETRACK.names.index("head_top")
    for name in ("stack_0_heatmaps", "stack_1_heatmaps"):
        np.testing.assert_array_equal(new[name][0][..., nose], old[name][0][..., 0])
        assert new[name][1][nose] == old[name][1][0]
        np.testing.assert_array_equal(new[name][0][..., top], start[name][0][..., top])
    back = "stack_0_heatmaps_back"
    np.testing.assert_array_equal(new[back][0][:, :, nose], old[back][0][:, :, 0])
    np.testing.assert_array_equal(new[back][0][:, :, top], start[back][0][:, :, top])
    for name in new:
        if "_heatmaps" not in name:
            assert all(map(np.array_equal, new[name], old[name])), name
    for other in ({"stacks": 1}, {"depth": 1}):
        with pytest.raises(UsageError, match="stacks and depth that it was trained with"):
            network({"coco": COCO}, **HOURGLASS | other, init=tmp_path / "coco.keras")
