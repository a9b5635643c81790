"""What the training loop carries along."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from posekit.loop.interruption import StopSignals
from posekit.loop.logs import RunLog
from posekit.loop.options import FitOptions
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
    options: FitOptions
    run_dir: Path
    steps: int
    """An epoch."""
    optimizer: keras.optimizers.Optimizer
    """The options' one, prepared."""
    strategy: tf.distribute.Strategy
    train_step: Callable
    callbacks: keras.callbacks.CallbackList
    log: RunLog
    signals: StopSignals
    watchdog: InputWatchdog
    callback_settings: list[dict] = dataclasses.field(default_factory=list)
    progress: Progress = dataclasses.field(default_factory=Progress)
