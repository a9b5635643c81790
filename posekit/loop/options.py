"""What a training is to do: the options of `posekit.training.fit`."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from posekit.commands import UsageError
from posekit.loop.runs import plain_settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of `posekit.training.fit`; the first five must be given."""

    num_examples: int
    """Size of the training set."""
    batch_size: int
    """Global; a multiple of the number of replicas."""
    epochs: int
    """In all, those of earlier calls included; may be raised on resume."""
    optimizer: keras.optimizers.Optimizer
    """Made inside `strategy.scope()`; its learning rate may be a Keras schedule."""
    run_dir: Path | str
    """Gets recipe.json, log.csv, tensorboard/, pictures/, checkpoints/, last.keras, best.keras."""
    steps_per_epoch: int | None = None
    """num_examples // batch_size if None, at least 1."""
    seed: int = 0
    """Of the order of the data."""
    validate: Callable | None = None
    """model -> dict name -> float; called on the chief at the end of an epoch. It calls
    model(images, training=False), alone or in a tf.function; with several workers, model.predict
    would wait for the others."""
    validate_every: int = 1
    """Epochs between validations; the last epoch is always validated."""
    monitor: str = "loss"
    """Column of log.csv that decides about best.keras."""
    mode: str = "min"
    """"min" or "max": what is better."""
    callbacks: Sequence[keras.callbacks.Callback] = ()
    """Keras callbacks; they run on every worker. model.stop_training is read at the end of each
    epoch."""
    clip_norm: float | None = None
    """Limit of the global norm of the gradient of the whole batch."""
    ema: float | None = None
    """Momentum of an exponential moving average of the weights; validation, pictures, last.keras
    and best.keras then use the average."""
    pictures: Callable | None = None
    """model -> dict name -> (H, W, 3) uint8 RGB; called after validate."""
    saved_model: keras.Model | None = None
    """What last.keras and best.keras hold; the model if None. May share its layers."""
    strategy: tf.distribute.Strategy | None = None
    """From `make_strategy`; TensorFlow's default if None."""
    recipe: object = None
    """Dataclass or dict for recipe.json; compared on resume."""
    may_change: Sequence[str] = ("epochs",)
    """Names in it that may differ on resume."""
    checkpoint_every: int | None = None
    """Steps between checkpoints within an epoch; there is one at each end."""
    deterministic: bool = False
    """Makes TensorFlow's operations deterministic, for the whole process."""
    input_timeout: float | None = 600.0
    """Seconds without a batch after which the process ends with exit code 1."""
    groups: np.ndarray | None = None
    """(num_examples,) number of what each example is cut from, such as its image; those of one
    group come near each other, see `loop.batches.sample_indices`."""

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return self.steps_per_epoch or max(1, self.num_examples // self.batch_size)

    def order(self) -> dict[str, int]:
        """What decides about the order of the data."""
        names = ("num_examples", "batch_size", "seed")
        return {name: getattr(self, name) for name in names} | {"steps_per_epoch": self.steps}

    def settings(self) -> dict:
        """What recipe.json holds, and what a resumed run is compared with."""
        names = ("epochs", "clip_norm", "ema", "monitor", "mode")
        rules = {name: getattr(self, name) for name in names}
        return plain_settings({"recipe": self.recipe or {}, "fit": {**self.order(), **rules}})

    def check(self, replicas: int) -> None:
        """Refuses numbers that no training can have.

        Raises:
            UsageError: says which, and what was expected.
        """
        if self.num_examples < 1:
            raise UsageError(
                f"expected at least 1 training example, received {self.num_examples}; check the "
                "folder and the split of the data"
            )
        if self.batch_size < 1 or self.batch_size % replicas:
            raise UsageError(
                f"expected a global batch_size that {replicas} replicas can share equally, "
                f"received {self.batch_size}; use a multiple of {replicas}"
            )
        if self.steps < 1 or not 0 <= (self.ema or 0) < 1:
            raise UsageError(
                "expected steps_per_epoch >= 1 and 0 <= ema < 1, received "
                f"{self.steps_per_epoch}, {self.ema}"
            )
        if self.epochs < 1 or self.validate_every < 1 or self.mode not in ("min", "max"):
            raise UsageError(
                "expected epochs and validate_every >= 1 and mode min or max, received "
                f"{self.epochs}, {self.validate_every}, {self.mode!r}"
            )
