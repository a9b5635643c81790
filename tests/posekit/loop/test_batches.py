import numpy as np
import tensorflow as tf

from posekit.loop.batches import sample_indices, training_batches, worker_draws


def test_order_of_samples_is_a_function_of_their_number():
    np.testing.assert_array_equal(sample_indices(0, 5, 5, seed=0), [2, 4, 3, 0, 1])
    np.testing.assert_array_equal(sample_indices(3, 4, 5, seed=0), [0, 1, 1, 4])
    assert sample_indices(3, 0, 5, seed=0).shape == (0,)
    whole = sample_indices(0, 35, 7, seed=3)
    np.testing.assert_array_equal(np.sort(whole.reshape(5, 7)), [range(7)] * 5)
    np.testing.assert_array_equal(sample_indices(11, 20, 7, seed=3), whole[11:31])
    assert (sample_indices(0, 35, 7, seed=4) != whole).any()


def test_examples_of_a_group_come_near_each_other():
    groups = np.repeat(np.arange(1000), 3)  # three people in each of a thousand images
    order = sample_indices(0, 6000, 3000, seed=1, groups=groups)
    np.testing.assert_array_equal(np.sort(order.reshape(2, 3000)), [range(3000)] * 2)
    places = np.argsort(order[:3000]).reshape(1000, 3)
    reach = places.max(axis=1) - places.min(axis=1)
    assert reach.max() < 64 * 3
    assert np.median(reach) > 30  # but not side by side, so that batches are mixed
    np.testing.assert_array_equal(sample_indices(1500, 9, 3000, 1, groups), order[1500:1509])
    assert (order[:3000] != order[3000:]).any()


def test_each_worker_has_its_rows_of_each_batch():
    np.testing.assert_array_equal(worker_draws(1, 2, 4, worker=0, workers=2), [4, 5, 8, 9])
    np.testing.assert_array_equal(worker_draws(1, 2, 4, worker=1, workers=2), [6, 7, 10, 11])
    np.testing.assert_array_equal(worker_draws(1, 2, 4, worker=0, workers=1), range(4, 12))


def test_large_batches_come_from_many_groups():
    groups = np.repeat(np.arange(2000), 3)
    distinct = []

    def load(indices, draws):
        batches = groups[indices].reshape(-1, 128)
        distinct.extend(len(np.unique(batch)) for batch in batches)
        return tf.data.Dataset.from_tensor_slices(indices)

    order = dict(num_examples=6000, batch_size=128, seed=0, steps_per_epoch=40)
    steps = dict(first_step=0, last_step=40, groups=groups)
    batches = training_batches(load, tf.distribute.get_strategy(), **order, **steps)
    assert len(next(batches)) == 128
    # Of 128 out of all 6,000 about 125 groups; out of those of 64 groups 61.
    assert np.mean(distinct) > 100
