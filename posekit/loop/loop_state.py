"""What the training loop carries along."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from posekit.loop.interruption import StopSignals
from posekit.loop.logs import RunLog
from posekit.loop.watchdog import InputWatchdog


@dataclasses.dataclass
class Progress:
    """How far the run is; all of it is in every checkpoint."""

    step: int = 0
    """Global steps done; the position in the data."""
    epoch: int = 0
    """Epochs finished, validation included."""
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    """Loss terms added up since the epoch began."""
    seconds: float = 0.0
    """Time spent in the steps of this epoch."""
    lr: float = 0.0
    """Learning rate that the last step of this epoch used."""
    best: float | None = None
    """Best value of the monitored number."""
    rows: list[dict] = dataclasses.field(default_factory=list)
    """Rows of log.csv, one for each finished epoch."""
    stopped: bool = False
    """A callback, such as EarlyStopping, ended the training."""


@dataclasses.dataclass
class Loop:
    """What stays the same during a run, and its progress."""

    model: keras.Model
    saved_model: keras.Model
    optimizer: keras.optimizers.Optimizer
    callbacks: keras.callbacks.CallbackList
    strategy: tf.distribute.Strategy
    train_step: Callable
    validate: Callable | None
    pictures: Callable | None
    run_dir: Path
    log: RunLog
    signals: StopSignals
    watchdog: InputWatchdog
    epochs: int
    steps: int
    batch_size: int
    validate_every: int
    checkpoint_every: int | None
    monitor: str
    mode: str
    ema: float | None
    callback_settings: list[dict] = dataclasses.field(default_factory=list)
    progress: Progress = dataclasses.field(default_factory=Progress)
