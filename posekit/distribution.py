"""One device, several devices, several machines: the strategy and what workers tell each other."""

import json
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

CHUNK = 1 << 16  # bytes sent at a time; constant, so that the collective is traced once


class ChiefFailed(RuntimeError):
    """The first worker failed; its own output has the cause."""


def make_strategy(devices: int | None = None) -> tf.distribute.Strategy:
    """Chooses how the work is spread.

    Call it once, before any other TensorFlow operation; then build model and optimizer inside
    `strategy.scope()`.

    Args:
        devices: how many devices of this machine to use; None takes every GPU, or the CPU. Where
            the machine has fewer GPUs, the CPU is split into that many logical devices.

    Returns:
        MultiWorkerMirroredStrategy where the environment variable TF_CONFIG names several
        workers, MirroredStrategy for several devices, TensorFlow's default for one.

    Raises:
        ValueError: `devices` is not positive.
    """
    if devices is not None and devices < 1:
        raise ValueError(f"expected devices to be at least 1, received {devices}")
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    if sum(len(cluster.get(kind, ())) for kind in ("chief", "worker")) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_physical_devices("GPU")
    count = devices or max(len(gpus), 1)
    if count == 1:
        return tf.distribute.get_strategy()
    if count <= len(gpus):
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(count)])
    split = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], split)
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(count)])


def worker_position(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """Returns (index of this worker, number of workers); the chief is index 0."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    resolver = strategy.cluster_resolver
    cluster = resolver.cluster_spec().as_dict()
    tasks = [(kind, i) for kind in ("chief", "worker") for i in range(len(cluster.get(kind, ())))]
    return tasks.index((resolver.task_type, resolver.task_id)), len(tasks)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tells whether this process is the one that writes files."""
    return worker_position(strategy)[0] == 0


def broadcast(strategy: tf.distribute.Strategy, content: bytes) -> bytes:
    """Gives every worker the chief's bytes; what the others pass is ignored."""
    index, workers = worker_position(strategy)
    if workers == 1:
        return content
    content = content if index == 0 else b""
    size = _sum_over_workers(strategy, np.array([len(content) // CHUNK, len(content) % CHUNK]))
    size = int(size[0]) * CHUNK + int(size[1])
    padded = np.zeros(-(-size // CHUNK) * CHUNK, np.uint8)
    padded[: len(content)] = np.frombuffer(content, np.uint8)
    chunks = [_sum_over_workers(strategy, chunk) for chunk in padded.reshape(-1, CHUNK)]
    return np.concatenate([*chunks, []]).astype(np.uint8).tobytes()[:size]


def on_chief(strategy: tf.distribute.Strategy, function: Callable[[], object]) -> object:
    """Calls `function` on the chief only and gives its result, which JSON can hold, to all.

    Raises:
        ChiefFailed: on the other workers, where `function` raised on the chief; so none of them
            waits for a worker that has gone. The chief raises what `function` raised.
    """
    index, workers = worker_position(strategy)
    if workers == 1:
        return function()
    outcome, error = {}, None
    if index == 0:
        try:
            outcome = {"result": function()}
        except BaseException as caught:  # SystemExit too: the others must hear of it
            outcome, error = {"error": f"{type(caught).__name__}: {caught}"}, caught
    outcome = json.loads(broadcast(strategy, json.dumps(outcome).encode()))
    if error is not None:
        raise error
    if "error" in outcome:
        raise ChiefFailed(outcome["error"])
    return outcome["result"]


def _sum_over_workers(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """Adds small integers of all workers, as float32, the type every collective can reduce."""
    values = tf.constant(values, tf.float32)
    return _all_reduce(strategy, values).numpy()


_COLLECTIVES: dict[int, Callable] = {}


def _all_reduce(strategy: tf.distribute.Strategy, values: tf.Tensor) -> tf.Tensor:
    """Adds a vector over workers; of the replicas of one worker only the first contributes."""

    def in_replica(own):
        context = tf.distribute.get_replica_context()
        local = context.replica_id_in_sync_group % local_replicas
        first = tf.cast(tf.equal(local, 0), own.dtype)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, own * first)

    local_replicas = strategy.num_replicas_in_sync // worker_position(strategy)[1]
    if id(strategy) not in _COLLECTIVES:
        _COLLECTIVES[id(strategy)] = tf.function(
            lambda own: strategy.experimental_local_results(strategy.run(in_replica, (own,)))[0]
        )
    return _COLLECTIVES[id(strategy)](values)
