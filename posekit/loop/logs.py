"""What a run tells: log.csv, TensorBoard, pictures and a progress line."""

import contextlib
import csv
import errno
import io
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rich.console
import rich.progress
import tensorflow as tf

from posekit.atomic_files import WriteError, write_file
from posekit.loop.runs import PICTURES, TENSORBOARD

FIRST = ("epoch", "step", "lr", "loss")
LAST = ("seconds", "samples_per_second", "resident_mb")


class RunLog:
    """Writers of one run; on workers other than the chief, made with run_dir None, silent."""

    def __init__(self, run_dir: Path | None, epochs: int):
        self._run_dir = run_dir
        self._epochs = epochs
        self._board = None
        self._progress: rich.progress.Progress | None = None

    def __enter__(self):
        if self._run_dir is not None:
            with _named_errors():
                self._board = tf.summary.create_file_writer(str(self._run_dir / TENSORBOARD))
        return self

    def __exit__(self, *_):
        self.end_epoch()
        if self._board is not None:
            with _named_errors():
                self._board.close()

    def write_table(self, rows: list[dict]) -> None:
        """Writes log.csv anew from all rows, so no epoch is there twice or missing."""
        if self._run_dir is None or not rows:
            return
        names = list(dict.fromkeys(name for row in rows for name in row))
        middle = [name for name in names if name not in FIRST + LAST]
        text = io.StringIO()
        table = csv.DictWriter(text, [*FIRST, *middle, *LAST], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_file(self._run_dir / "log.csv", text.getvalue())

    def write_row(self, row: dict) -> None:
        """Sends an epoch's numbers to TensorBoard, and to stderr as one line."""
        if self._run_dir is None:
            return
        with _named_errors():
            with self._board.as_default(step=row["step"]):
                for name, value in row.items():
                    tf.summary.scalar(name, value)
            self._board.flush()
        shown = {k: v for k, v in row.items() if k not in ("epoch", "step", "resident_mb")}
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
        self.say(f"epoch {row['epoch']}/{self._epochs}  step {row['step']}  {numbers}")

    def write_pictures(self, pictures: dict[str, np.ndarray], epoch: int, step: int) -> None:
        """Writes pictures/NAME-EPOCH.png and TensorBoard images.

        Args:
            pictures: name -> (H, W, 3) uint8 RGB.
            epoch: number of finished epochs.
            step: global step.
        """
        if self._run_dir is None:
            return
        for name, picture in pictures.items():
            content = tf.io.encode_png(picture).numpy()
            write_file(self._run_dir / PICTURES / f"{name}-{epoch:04d}.png", content)
            with _named_errors(), self._board.as_default(step=step):
                tf.summary.image(name, picture[None])

    def start_epoch(self, epoch: int, steps: int, done: int) -> None:
        """Opens the progress line, where stderr is a terminal."""
        console = rich.console.Console(file=sys.stderr)
        if self._run_dir is None or not console.is_terminal:
            return
        columns = (
            *rich.progress.Progress.get_default_columns(),
            rich.progress.TextColumn("{task.fields[loss]}"),
        )
        self._progress = rich.progress.Progress(*columns, console=console, transient=True)
        self._progress.add_task(
            f"epoch {epoch}/{self._epochs}", total=steps, completed=done, loss=""
        )
        self._progress.start()

    def advance(self, loss: float) -> None:
        """Moves the progress line by one step."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], advance=1, loss=f"loss {loss:.4g}")

    def end_epoch(self) -> None:
        """Removes the progress line."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def say(self, text: str) -> None:
        """Prints a line to stderr, on the chief only."""
        if self._run_dir is not None:
            print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    """Says what a full disk means to TensorFlow as it is said of all other files."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.partition("\n")[0]
        raise WriteError.of(OSError(errno.EIO, reason), f"{TENSORBOARD}/") from error


def resident_mb() -> float:
    """Memory of this process in MiB: now, or where the system does not tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
    except OSError:
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
