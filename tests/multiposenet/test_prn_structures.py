import numpy as np
import pytest

from multiposenet.prn import prn
from multiposenet.prn_people import People
from multiposenet.prn_structures import cluster, highest_cells, node_structures, output_structures
from posekit.oks import keypoint_similarity
from posekit.skeletons import COCO, Skeleton

THREE = Skeleton("three", ("nose", "left_hip", "right_hip"), ((1, 2),), (0, 2, 1), (0.05,) * 3)


def test_the_highest_cell_is_given_by_its_middle():
    maps = np.zeros((1, 6, 4, 2))
    maps[0, 5, 1, 0] = maps[0, 0, 3, 1] = 1
    np.testing.assert_array_equal(highest_cells(maps), [[[1.5, 5.5, 1], [3.5, 0.5, 1]]])


@pytest.mark.parametrize("hidden_layers", [1, 2])
@pytest.mark.parametrize("rank", [None, 3])
def test_a_node_favours_the_cell_of_its_largest_outgoing_weight(rank, hidden_layers):
    model = prn(3, (6, 4), nodes=5, rank=rank, hidden_layers=hidden_layers)
    rng = np.random.default_rng(0)
    for weight in model.weights:  # biases too
        weight.assign(rng.normal(size=weight.shape))
    found = node_structures(model)
    assert found.shape == (5, 3, 3)
    # Nothing but one node: an input of zeros and a last hidden layer that is its own bias.
    hidden = model.get_layer(f"hidden{hidden_layers}")
    hidden.kernel.assign(np.zeros(hidden.kernel.shape))

    def logits(bias):
        hidden.bias.assign(bias)
        return np.asarray(model(np.zeros((1, 6, 4, 3), np.float32))["logits"])[0].reshape(24, 3)

    for node, unit in enumerate(np.eye(5)):
        best = (logits(unit) - logits(0 * unit)).argmax(axis=0)
        np.testing.assert_array_equal(found[node, :, 0], best % 4 + 0.5)
        np.testing.assert_array_equal(found[node, :, 1], best // 4 + 0.5)


def test_outputs_are_read_for_people_with_half_of_their_keypoints():
    keypoints = np.zeros((3, 3, 3), np.float32)
    keypoints[:2, :, 2] = 2
    keypoints[:2, :, :2] = np.array([[[5, 5], [15, 55], [35, 35]], [[45, 75], [65, 5], [25, 25]]])
    keypoints[1, 1:, 2] = 0
    people = People(
        keypoints=keypoints,
        boxes=np.array([[0, 0, 40, 60]] * 3, np.float32),
        is_crowd=np.zeros(3, bool),
        image_ids=np.array([1, 2, 3]),
        first=np.array([0, 1, 2, 3]),
        skeleton=THREE,
    )
    found = output_structures(lambda inputs: inputs, people, count=9, size=(6, 4))
    # Boxes of 40x60 pixels on 4x6 cells, so ten pixels a cell.
    np.testing.assert_array_equal(found, [[[0.5, 0.5, 1], [1.5, 5.5, 1], [3.5, 3.5, 1]]])
    with pytest.raises(ValueError, match="half of their 3"):
        output_structures(lambda inputs: inputs, people.select(np.arange(3) > 0), count=9)


def crowd_of(poses, sizes, rng, noise=0.3):
    structures = np.repeat(poses, sizes, axis=0)
    structures[..., :2] += rng.normal(scale=noise, size=structures[..., :2].shape)
    return rng.permutation(structures)


def test_clusters_are_found_again_largest_first():
    rng = np.random.default_rng(1)
    poses = np.ones((3, 17, 3))
    poses[..., :2] = rng.uniform((0, 0), (36, 56), size=(3, 17, 2))
    structures = crowd_of(poses, [20, 50, 30], rng)
    for seed in range(3):
        found = cluster(structures, COCO.sigmas, 3, seed=seed)
        np.testing.assert_allclose(found.shares, [0.5, 0.3, 0.2])
        np.testing.assert_allclose(found.poses, poses[[1, 2, 0]], atol=0.4)
        assert (found.oks > 0.9).all() and found.steps < 20


def test_every_update_raises_the_mean_oks_and_the_seed_decides():
    structures = np.random.default_rng(0).uniform(0, 40, size=(80, 3, 3))

    def mean_oks(steps, seed=2):
        found = cluster(structures, THREE.sigmas, 5, seed=seed, max_steps=steps)
        return float(found.shares @ found.oks)

    after = [mean_oks(steps) for steps in range(1, 12)]
    assert (np.diff(after) >= -1e-9).all() and after[-1] > after[0] + 0.02
    assert mean_oks(50) == mean_oks(50) != mean_oks(50, seed=3)


def test_the_mean_is_that_of_close_members():
    # One far member of ten would shift the plain mean by 3 cells.
    poses = np.ones((10, 3, 3)) * (10, 10, 1)
    poses[0, :, 0] += 30
    found = cluster(poses, THREE.sigmas, 1)
    np.testing.assert_allclose(found.poses[0], [[10, 10, 1]] * 3, atol=0.01)


def test_empty_clusters_start_again_and_too_many_are_refused():
    # Two kinds of equal poses: k-means++ must put a third start on one of them.
    structures = np.ones((8, 3, 3))
    structures[4:, :, :2] += 20
    found = cluster(structures, THREE.sigmas, 3, max_steps=5)
    assert found.shares.sum() == pytest.approx(1) and found.oks[:2] == pytest.approx([1, 1])
    assert np.isfinite(found.poses).all()
    with pytest.raises(ValueError, match="1 to 8 clusters"):
        cluster(structures, THREE.sigmas, 9)


def test_the_stated_radii_of_half_similarity():
    poses = np.zeros((2, 17, 3))
    poses[1, 1, 0], poses[1, 11, 0] = 1.869, 8.0
    similarity = keypoint_similarity(poses[1:], poses[:1], np.array([1008.0]), COCO.sigmas)[0, 0]
    np.testing.assert_allclose(similarity[[1, 11]], 0.5, atol=1e-3)
