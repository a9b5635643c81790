"""What kind of model a .keras file holds, told without TensorFlow."""

import json
import zipfile
from pathlib import Path

KINDS = {
    "topdown>PoseReading": "topdown",
    "topdown>SsdReading": "ssd",
    "multiposenet>PoseHead": "multiposenet",
}
"""Registered name of the layer that only such a model has -> kind of model."""
MAX_CONFIG_BYTES = 1 << 28
"""Largest accepted description of the layers; that of a ResNet-152 has half a million bytes."""


class ModelFileError(ValueError):
    """A path without a Keras model, or with one of a kind that is not wanted."""

    exit_code = 2


def kind_of_model(path: Path | str) -> str:
    """Tells from the layers in a .keras file which part of this library reads it.

    Args:
        path: .keras file, or run folder, whose best.keras is taken.

    Returns:
        "topdown": keypoints of crops, with its settings; "ssd": a person detector with its
        settings; "multiposenet": a joined model; "other": any other Keras model, such as a single
        network of MultiPoseNet.

    Raises:
        ModelFileError: nothing is there, or no .keras file.
    """
    path = Path(path)
    path = path / "best.keras" if path.is_dir() else path
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo("config.json").file_size
            if size > MAX_CONFIG_BYTES:
                raise ValueError(f"a config.json of {size} bytes")
            names = _registered_names(archive.read("config.json"))
    except FileNotFoundError:
        raise ModelFileError(
            f"{path} is missing; expected a .keras file or a finished run"
        ) from None
    # NotImplementedError, RuntimeError: a zip file of another compression, or with a password.
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelFileError(
            f"{path}: expected a .keras file, as the training scripts write it, received: {reason}"
        ) from error
    found = {kind for name, kind in KINDS.items() if name in names}
    if len(found) > 1:
        raise ModelFileError(
            f"{path}: expected a model of one kind, received layers of {', '.join(sorted(found))}"
        )
    return found.pop() if found else "other"


def _registered_names(config: bytes) -> set[str]:
    """The names under which the layers of a config.json, nested ones too, are registered."""
    names = set()
    json.loads(config, object_hook=lambda layer: names.add(str(layer.get("registered_name"))))
    return names
