"""One saved network under Keras' three backends, each in a process of its own, on the CPU."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

INSTALL = {
    "tensorflow": "pip install 'tensorflow-cpu>=2.21,<2.22'",
    "jax": "pip install jax",
    "torch": "pip install torch==2.13.0",
}


class MissingBackend(ImportError):
    """An environment lacks a backend or Keras; the message says what to install."""


class NetworkFailed(ValueError):
    """A saved network could not be loaded or run."""

    exit_code = 2


def run_under(
    backend: str, model: str | Path, image: np.ndarray, python: str | Path = sys.executable
) -> dict[str, np.ndarray]:
    """Runs a saved network on one image under one backend.

    Args:
        backend: "tensorflow", "jax" or "torch".
        model: .keras file whose network takes (1, H, W, 3) and returns a dict of tensors.
        image: (H, W, 3) uint8 RGB.
        python: interpreter of an environment that holds the backend, Keras and NumPy; this
            package itself need not be installed there.

    Returns:
        output name -> float array.

    Raises:
        MissingBackend: where that environment lacks something.
        NetworkFailed: where the network could not be run; with the last line of the reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "image.npy"), Path(folder, "outputs.npz")
        np.save(given, image)
        command = [python, "-m", "posekit.backends", backend, str(model), str(given), str(result)]
        done = subprocess.run(
            command, env=_environment(backend), check=False, capture_output=True, text=True
        )
        if not result.exists():
            raise _failure(backend, model, done)
        with np.load(result, allow_pickle=False) as outputs:
            return dict(outputs)


def _failure(backend: str, model: str | Path, done: subprocess.CompletedProcess) -> Exception:
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if reason.startswith("ModuleNotFoundError"):
        return MissingBackend(
            f"{backend} cannot be loaded ({reason}): {INSTALL[backend]} keras==3.15.1 numpy, here "
            "or in an environment whose interpreter is then named"
        )
    return NetworkFailed(f"expected outputs of '{model}' under {backend}, received: {reason}")


def _environment(backend: str) -> dict[str, str]:
    """The CPU alone: GPUs round products to 10 bits by default, and each backend differently."""
    package = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    cpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return os.environ | cpu | {"KERAS_BACKEND": backend, "PYTHONPATH": path}


def _work(backend: str, model: str, image: str, result: str) -> None:
    """Runs the network in this process and writes its outputs."""
    __import__(backend)  # its absence is then the last line of the error, in every Keras version
    from posekit.model_loading import load_model

    network = load_model(model)
    outputs = network.predict(np.load(image, allow_pickle=False)[None], verbose=0)
    np.savez(result, **{name: np.asarray(array) for name, array in outputs.items()})


if __name__ == "__main__":
    _work(*sys.argv[1:])
