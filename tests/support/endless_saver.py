"""Saves what a training saves at the end of an epoch, without end and without TensorFlow.

Usage: endless_saver.py RUN_DIR; says "ready" on stdout once it begins.
"""

import sys
import zipfile
from pathlib import Path

import numpy as np

from posekit.atomic_files import remove_unfinished, write_file
from posekit.checkpoints import read_newest_checkpoint, save_keras, write_checkpoint

NUMBERS = 1_000_000


class Model:
    """What `save_keras` uses of a model; its file holds the step many times."""

    def __init__(self, step: int):
        self._content = np.full(NUMBERS, step, np.int32).tobytes()

    def save(self, path: Path) -> None:
        """Writes a zip file, as Keras does."""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model.weights.h5", self._content)


def main(run_dir: Path) -> None:
    """Goes on where the newest checkpoint stands, as a resumed training does."""
    for folder in (run_dir, run_dir / "checkpoints"):
        remove_unfinished(folder)
    found = read_newest_checkpoint(run_dir / "checkpoints")
    step = found[1]["step"] if found else 0
    print("ready", flush=True)
    while True:
        step += 1
        save_keras(Model(step), run_dir / "last.keras")
        arrays = {
            "model 0": np.full(NUMBERS, step, np.int32),
            "optimizer 0": np.full(NUMBERS, -step),
        }
        write_checkpoint(run_dir / "checkpoints", arrays, {"step": step}, step)
        write_file(run_dir / "log.csv", "step\n" + "".join(f"{n + 1}\n" for n in range(step)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
