"""One device, several devices, several machines: the strategy and what workers tell each other."""

import json
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from posekit.commands import UsageError

# Numbers of int64 sent at a time, 64 KiB or 4 MiB: few shapes, since each is traced once.
SMALL, LARGE = 1 << 13, 1 << 19


class ChiefFailed(RuntimeError):
    """The first worker failed; its own output has the cause."""

    exit_code = 1


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
        UsageError: `devices` is not positive.
    """
    if devices is not None and devices < 1:
        raise UsageError(f"expected devices to be at least 1, received {devices}")
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


def broadcast(strategy: tf.distribute.Strategy, content: bytes) -> bytes | bytearray:
    """Gives every worker the chief's bytes; what the others pass is ignored.

    The chief keeps its own bytes; each of the others needs room for one copy and one piece.
    """
    index, workers = worker_position(strategy)
    if workers == 1:
        return content
    own = np.frombuffer(content if index == 0 else b"", np.uint8)
    size = int(_sum_over_workers(strategy, np.array([len(own)]))[0])
    piece = 8 * (SMALL if size <= 8 * SMALL else LARGE)
    received = bytearray(0 if index == 0 else size)
    for start in range(0, size, piece):
        sent = np.zeros(piece, np.uint8)
        sent[: len(own[start : start + piece])] = own[start : start + piece]
        total = _sum_over_workers(strategy, sent.view(np.int64)).view(np.uint8)
        if index > 0:
            received[start : start + piece] = total[: size - start].data
    return content if index == 0 else received


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
    """Adds int64 of all workers. Only one of them has other values than 0, so all bits survive.

    int64 and not int32, because TensorFlow keeps int32 in host memory, beside a GPU's collectives.
    """
    return _all_reduce(strategy, tf.constant(values, tf.int64)).numpy()


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
