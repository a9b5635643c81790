"""The order of the training data, cut into batches and spread over replicas and workers."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from posekit.loop.distribution import worker_position

ENDLESS = tf.data.INFINITE_CARDINALITY
GROUPS_AT_A_TIME = 64
"""At least; a large batch takes those of twice its size, so that few of its examples share one."""
ROWS_AT_A_TIME = 1 << 17  # samples per call of `load`; more only where an epoch is longer


def sample_indices(
    first: int,
    count: int,
    num_examples: int,
    seed: int,
    groups: np.ndarray | None = None,
    groups_at_a_time: int = GROUPS_AT_A_TIME,
) -> np.ndarray:
    """Says which examples the global samples number first, first + 1, ... are.

    Pass p over the data is one permutation, drawn from the generator seeded with (seed, p). The
    order is therefore a function of the sample number alone, whatever happened before.

    Args:
        first: number of the first sample, counted from 0 at the start of training.
        count: how many.
        num_examples: size of the dataset.
        seed: of the run.
        groups: (num_examples,) number of what each example is cut from, such as its image. The
            groups come in random order, and the examples of `groups_at_a_time` groups in random
            order among each other: what a group shares needs to be read only once.
        groups_at_a_time: how many groups are mixed.

    Returns:
        (count,) int64 in [0, num_examples).
    """
    draws = np.arange(first, first + count)
    passes, places = np.divmod(draws, num_examples)
    orders = {p: _order((seed, p), num_examples, groups, groups_at_a_time) for p in set(passes)}
    indices = np.empty(count, np.int64)
    for number, order in orders.items():
        indices[passes == number] = order[places[passes == number]]
    return indices


def _order(
    seed: tuple[int, int], count: int, groups: np.ndarray | None, groups_at_a_time: int
) -> np.ndarray:
    """One pass over the examples; see `sample_indices`."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(count)
    if groups is None:
        return order
    _, group = np.unique(groups, return_inverse=True)
    window = rng.permutation(group.max() + 1) // groups_at_a_time
    return order[np.argsort(window[group[order]], kind="stable")]


def worker_draws(step: int, steps: int, batch_size: int, worker: int, workers: int) -> np.ndarray:
    """Lists the sample numbers of one worker: its share of the rows of each global batch.

    Returns:
        (steps * batch_size / workers,) int64; worker w of n has rows w B/n to (w + 1) B/n.
    """
    rows = np.arange(step * batch_size, (step + steps) * batch_size).reshape(steps, workers, -1)
    return rows[:, worker].reshape(-1)


def training_batches(
    load: Callable,
    strategy: tf.distribute.Strategy,
    *,
    num_examples: int,
    batch_size: int,
    seed: int,
    first_step: int,
    last_step: int,
    steps_per_epoch: int,
    groups: np.ndarray | None = None,
) -> Iterator:
    """Yields the (distributed) batches of global steps first_step to last_step - 1, in order.

    Args:
        load: (indices (M,) int64, draws (M,) int64) -> tf.data.Dataset of M single samples.
        strategy: spreads each batch over its replicas; every worker loads its own rows only.
        num_examples: size of the dataset.
        batch_size: of the global batch; a multiple of the number of replicas.
        seed: of the order.
        first_step: global step of the first batch.
        last_step: one beyond the last.
        steps_per_epoch: `load` is called for whole epochs.
        groups: see `sample_indices`; those of two batches at least are mixed.

    Raises:
        ValueError: `load` gave fewer samples than indices.
    """
    worker, workers = worker_position(strategy)
    per_replica = batch_size // strategy.num_replicas_in_sync
    mixed = max(GROUPS_AT_A_TIME, 2 * batch_size)
    chunk = max(1, ROWS_AT_A_TIME // (batch_size * steps_per_epoch)) * steps_per_epoch

    def dataset(step: int, steps: int) -> tf.data.Dataset:
        draws = worker_draws(step, steps, batch_size, worker, workers)
        first, count = step * batch_size, steps * batch_size
        indices = sample_indices(first, count, num_examples, seed, groups, mixed)[draws - first]
        options = tf.data.Options()
        options.deterministic = True
        samples = load(indices, draws).batch(per_replica, drop_remainder=True)
        # Else the workers ask one another before each batch whether there is another one.
        samples = samples.apply(tf.data.experimental.assert_cardinality(ENDLESS))
        return samples.with_options(options).prefetch(tf.data.AUTOTUNE)

    for step in range(first_step, last_step, chunk):
        steps = min(chunk, last_step - step)
        made = dataset(step, steps)
        iterator = iter(strategy.distribute_datasets_from_function(lambda _, made=made: made))
        for number in range(steps):
            yield _next_batch(iterator, step + number)


def _next_batch(iterator: Iterator, step: int):
    try:
        return next(iterator)
    except tf.errors.FailedPreconditionError as end:
        if "infinite number of elements" not in str(end):
            raise
        raise ValueError(
            f"expected one sample for each index given to load, received fewer (input ended at "
            f"step {step}); give a sample of weight 0 in place of one that cannot be read"
        ) from end
