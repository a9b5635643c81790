import numpy as np
import pytest
import tensorflow as tf

from posekit.losses import person_heatmaps
from posekit.skeletons import Skeleton
from topdown.losses import pose_loss
from topdown.settings import Settings


def skeleton(name: str, count: int) -> Skeleton:
    names = tuple(f"{name} {place}" for place in range(count))
    return Skeleton(name, names, (), tuple(range(count)), (0.05,) * count)


SETTINGS = Settings({"ten": skeleton("ten", 10), "two": skeleton("two", 2)}, size=(32, 16))


def batch(domains, mining, labelled=(10, 10)):
    """Targets and weights of samples; keypoint k of the first domain lies at (8, 3k)."""
    keypoints = np.zeros((len(domains), 10, 3), np.float32)
    keypoints[..., 0], keypoints[..., 1] = 8, np.arange(10) * 3
    for row, count in enumerate(labelled[: len(domains)]):
        keypoints[row, :count, 2] = 2
    targets = {
        "keypoints": tf.constant(keypoints),
        "domain": tf.constant(domains, tf.int32),
        "mining": tf.constant(mining),
    }
    return targets, {"keypoints": tf.constant((keypoints[..., 2] > 0).astype(np.float32))}


def maps(targets, errors, stride: int = 4, sigma: float = 2.0):
    """What a network says that is wrong by errors (K,) in every cell of keypoint k's map."""
    size = SETTINGS.size[0] // stride, SETTINGS.size[1] // stride
    drawn = person_heatmaps(targets["keypoints"][:, : len(errors)], size, stride, sigma)
    return drawn + tf.constant(errors, tf.float32)


def test_mean_of_all_and_mean_of_the_hardest_eight():
    # Wrong by 1 to 10: half squares 0.5, 2, 4.5 ... 50, whose sum is 192.5; the mean of all is
    # 19.25; without the two least (0.5 and 2) 190 / 8 = 23.75.
    targets, weights = batch([0, 0], [False, True])
    outputs = {"ten": maps(targets, np.arange(1.0, 11))}
    loss = pose_loss(outputs, targets, weights, SETTINGS, mining=8)["ten"]
    np.testing.assert_allclose(loss, [19.25, 23.75], rtol=1e-5)


def test_unlabelled_keypoints_add_nothing_but_are_counted():
    # Three labelled, wrong by 1, 2 and 3: (0.5 + 2 + 4.5) / 10, mined 7 / 8; the other maps may say
    # anything.
    targets, weights = batch([0, 0], [False, True], labelled=(3, 3))
    outputs = {"ten": maps(targets, np.array([1, 2, 3] + [100] * 7))}
    loss = pose_loss(outputs, targets, weights, SETTINGS, mining=8)["ten"]
    np.testing.assert_allclose(loss, [0.7, 0.875], rtol=1e-5)
    with tf.GradientTape() as tape:
        tape.watch(outputs["ten"])
        total = tf.reduce_sum(pose_loss(outputs, targets, weights, SETTINGS, mining=8)["ten"])
    gradient = tape.gradient(total, outputs["ten"]).numpy()
    assert gradient[..., :3].all() and not gradient[..., 3:].any()


def test_a_sample_teaches_only_the_heads_of_its_domain():
    targets, weights = batch([0, 1, 0], [False, False, True], labelled=(10, 2, 10))
    names = "ten", "two", "two.intermediate"
    outputs = {
        n: tf.random.stateless_uniform((3, 8, 4, 10 if n == "ten" else 2), (1, 2)) for n in names
    }
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(outputs)
        terms = pose_loss(outputs, targets, weights, SETTINGS, mining=8)
    assert set(terms) == {"ten", "two", "two_intermediate"}
    for name, own in (("ten", [0, 2]), ("two", [1]), ("two.intermediate", [1])):
        term = terms[name.replace(".", "_")]
        others = sorted({0, 1, 2} - set(own))
        assert not term.numpy()[others].any() and term.numpy()[own].all()
        gradients = tape.gradient(term, outputs)
        assert not gradients[name].numpy()[others].any() and gradients[name].numpy()[own].any()
        assert all(gradients[other] is None for other in names if other != name)


def test_an_intermediate_prediction_has_gaussians_of_its_own_stride():
    targets, weights = batch([0], [False])
    outputs = {
        "ten": maps(targets, np.zeros(10)),
        "ten.intermediate": maps(targets, np.zeros(10), stride=8, sigma=1.0),
    }
    loss = pose_loss(outputs, targets, weights, SETTINGS, mining=8)
    assert float(loss["ten"][0]) == float(loss["ten_intermediate"][0]) == 0


def test_fewer_keypoints_than_are_mined():
    targets, weights = batch([1], [True], labelled=(2,))
    loss = pose_loss({"two": maps(targets, np.array([1.0, 3]))}, targets, weights, SETTINGS, 8)
    assert float(loss["two"][0]) == pytest.approx((0.5 + 4.5) / 2)
