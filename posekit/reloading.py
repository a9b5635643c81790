"""Runs a SavedModel as a server does: in a process that knows TensorFlow and nothing of ours."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # this file also runs by itself, see `run_saved_model`
    from posekit.warm_up import Request

FOREIGN = ("keras", "posekit", "multiposenet", "topdown", "tracking")
"""Packages that a SavedModel must not need; they cannot be imported where it is reloaded."""


class ReloadError(ValueError):
    """A SavedModel that cannot be loaded, or a request that it refuses."""

    exit_code = 1


def run_saved_model(
    folder: Path | str, requests: "Sequence[Request]"
) -> list[dict[str, np.ndarray]]:
    """Loads a SavedModel in a fresh process and sends it requests.

    Args:
        folder: of one version.
        requests: (signature, input name -> array); arrays of bytes objects for strings.

    Returns:
        Output name -> array, for each request.

    Raises:
        ReloadError: with the last line of the reason.
    """
    import tensorflow as tf

    files = {}
    for number, (signature, inputs) in enumerate(requests):
        for name, array in inputs.items():
            content = tf.io.serialize_tensor(array).numpy()
            files[f"{number} {signature} {name}"] = np.frombuffer(content, np.uint8)
    with tempfile.TemporaryDirectory() as scratch:
        asked, answered = Path(scratch, "requests.npz"), Path(scratch, "answers.npz")
        np.savez(asked, **files)
        # -P: neither this folder nor the current one is a place to import from.
        command = [sys.executable, "-P", __file__, str(folder), str(asked), str(answered)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if not answered.exists():
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise ReloadError(f"expected answers of '{folder}', received: {reason}")
        with np.load(answered, allow_pickle=False) as file:
            arrays = dict(file)
    answers: list[dict[str, np.ndarray]] = [{} for _ in requests]
    for key, array in arrays.items():
        number, name = key.split(" ", 1)
        answers[int(number)][name] = array
    return answers


def _work(folder: str, asked: str, answered: str) -> None:
    """Answers the requests in this process."""
    if not Path(folder, "saved_model.pb").is_file():
        raise FileNotFoundError(f"there is no saved_model.pb in {folder}")
    sys.modules.update(dict.fromkeys(FOREIGN))
    import tensorflow as tf

    model = tf.saved_model.load(folder)
    inputs: dict[tuple[str, str], dict] = {}
    with np.load(asked, allow_pickle=False) as file:
        for key in file.files:
            number, signature, name = key.split(" ")
            spec = model.signatures[signature].structured_input_signature[1][name]
            tensor = tf.io.parse_tensor(file[key].tobytes(), spec.dtype)
            inputs.setdefault((number, signature), {})[name] = tensor
    answers = {}
    for (number, signature), tensors in inputs.items():
        for name, value in model.signatures[signature](**tensors).items():
            answers[f"{number} {name}"] = value.numpy()
    np.savez(answered, **answers)


if __name__ == "__main__":
    _work(*sys.argv[1:])
