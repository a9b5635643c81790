"""A small training for the tests, as a script (one process each) and as functions.

Usage: tiny_training.py RUN_DIR '{"devices": 2, "epochs": 3, "kill_at": 8, ...}'; prints JSON.
"""

import hashlib
import json
import os
import signal
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from posekit.loop.distribution import make_strategy
from posekit.training import fit

EXAMPLES, BATCH, SIZE = 22, 4, (6, 6, 3)
IMAGES = np.random.default_rng(0).normal(size=(EXAMPLES, *SIZE)).astype(np.float32)
TRUTHS = IMAGES.mean((1, 2, 3))[:, None]


def build_model(plain=False):
    """Convolution and Dense; unless plain, BatchNormalization and Dropout, which have state."""
    inputs = keras.Input(SIZE)
    x = keras.layers.Conv2D(4, 3, use_bias=False)(inputs)
    x = keras.layers.ReLU()(x if plain else keras.layers.BatchNormalization()(x))
    x = keras.layers.Flatten()(x)
    x = x if plain else keras.layers.Dropout(0.2, seed=3)(x)
    return keras.Model(inputs, {"y": keras.layers.Dense(1, dtype="float32")(x)})


def load(indices, draws):
    """Single samples, with a noise that depends on the draw alone."""
    noise = np.stack([np.random.default_rng(draw).normal(size=SIZE) for draw in draws])
    images = IMAGES[indices] + 0.1 * noise.astype(np.float32)
    targets = {"y": TRUTHS[indices], "image_id": 1000 + indices}
    weights = {"y": np.ones((len(indices), 1), np.float32)}
    return tf.data.Dataset.from_tensor_slices((images, targets, weights))


def losses(outputs, targets, weights):
    """Two terms, (B,) each."""
    error = (outputs["y"] - targets["y"]) * weights["y"]
    return {"square": tf.reduce_mean(error**2, -1), "absolute": 0.1 * tf.abs(error[:, 0])}


def validate(model):
    """Mean absolute error on clean images."""
    return {"error": float(np.abs(model(IMAGES, training=False)["y"].numpy() - TRUTHS).mean())}


def stateful_callbacks():
    """Two callbacks with counters that a resumed run must not lose."""
    return [
        keras.callbacks.ReduceLROnPlateau("error", 0.5, patience=1, mode="min", min_delta=0.02),
        keras.callbacks.EarlyStopping("error", patience=50, mode="min", restore_best_weights=True),
    ]


class AtStep(keras.callbacks.Callback):
    """Does something to this process once the global step is reached; `pause` slows each step."""

    def __init__(self, step, action, pause=0.0):
        super().__init__()
        self._step, self._action, self._pause = step, action, pause

    def on_train_batch_end(self, batch, logs=None):
        """Keras calls it after each step."""
        time.sleep(self._pause)
        if self.model.optimizer.iterations.numpy() == self._step:
            self._action()


def train(
    run_dir,
    *,
    devices=None,
    epochs=3,
    learning_rate=0.01,
    plain=False,
    offset=0.0,
    callbacks=(),
    **options,
):
    """Returns (history, model, optimizer) of a run of 5 steps per epoch; offset: of the weights."""
    keras.utils.set_random_seed(1)
    strategy = make_strategy(devices)
    with strategy.scope():
        model = build_model(plain)
        optimizer = keras.optimizers.Adam(learning_rate)
        for variable in model.weights if offset else ():
            variable.assign(variable + offset)
    options = {"load": load, "losses": losses, "validate": validate} | options
    history = fit(
        model,
        num_examples=EXAMPLES,
        batch_size=BATCH,
        epochs=epochs,
        optimizer=optimizer,
        run_dir=run_dir,
        strategy=strategy,
        monitor="error",
        callbacks=[*stateful_callbacks(), *callbacks],
        **options,
    )
    return history, model, optimizer


def digest(variables):
    """One hash over the bits of all variables."""
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in variables)).hexdigest()


def hanging_load(indices, draws):
    """Gives two batches, then nothing."""

    def samples():
        for index, sample in enumerate(load(indices, draws)):
            time.sleep(1000 if index == 2 * BATCH else 0)
            yield sample

    signature = load(indices[:1], draws[:1]).element_spec
    return tf.data.Dataset.from_generator(samples, output_signature=signature)


def nan_load(indices, draws):
    """As load; the image of sample number 8 is NaN: step 3."""

    def spoil(sample, draw):
        image, targets, weights = sample
        return tf.where(draw == 8, np.nan, image), targets, weights

    return tf.data.Dataset.zip(load(indices, draws), tf.data.Dataset.from_tensor_slices(draws)).map(
        spoil
    )


def main():
    """Runs from the command line; kill_at: SIGKILL, stop_at: SIGTERM, at that global step."""
    run_dir, options = sys.argv[1], json.loads(sys.argv[2])
    pause = options.pop("pause", 0.0)
    callbacks = []
    for name, number in (("kill_at", signal.SIGKILL), ("stop_at", signal.SIGTERM)):
        step = options.pop(name, -1)
        action = lambda number=number: os.kill(os.getpid(), number)  # noqa: E731
        callbacks.append(AtStep(step, action, pause))
    if options.pop("hang", False):
        options["load"] = hanging_load
    if options.pop("nan", False):
        options["load"] = nan_load
    keras.config.set_dtype_policy(options.pop("dtype_policy", "float32"))
    ready = options.pop("ready", os.devnull)  # a file that appears after the first step
    callbacks.append(AtStep(1, lambda: open(ready, "w").close()))
    history, model, optimizer = train(run_dir, callbacks=callbacks, **options)
    result = {"history": history, "model": digest(model.variables)}
    print(json.dumps(result | {"optimizer": digest(optimizer.variables)}))


if __name__ == "__main__":
    main()
