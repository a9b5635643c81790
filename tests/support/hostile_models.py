"""Model files that want to run code, to read other files, or to fill the memory.

Code that runs leaves the file that $CANARY names.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
from tiny_topdown import random_network

from posekit.model_files import CONFIG, WEIGHTS

BOMB = 300 << 20
EVIL = {"module": "evil_module", "class_name": "Evil", "registered_name": "evil>Evil"}
READER = {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None}
FETCHER = {"module": "keras.utils", "class_name": "get_file", "registered_name": None}


def write_hostile(folder: Path) -> dict[str, Path]:
    """Writes the files, and a module that says so when it is imported; $CANARY is not there then.

    Returns:
        What is wrong -> file.
    """
    (folder / "evil_module.py").write_text("import os\nopen(os.environ['CANARY'], 'w').close()\n")
    good = folder / "good.keras"
    random_network().save(good)
    files = {}
    for name, change in {**_CONFIGS, **_WEIGHTS}.items():
        files[name] = folder / f"{name.replace(' ', '-')}.keras"
        _changed(good, files[name], name in _CONFIGS, change)
    for name, write in _FILES.items():
        files[name] = folder / name.replace(" ", "-")
        write(good, files[name])
    Path(os.environ["CANARY"]).unlink(missing_ok=True)  # Keras runs a Lambda when it makes one
    return files


def _changed(good: Path, path: Path, is_config: bool, change: Callable) -> None:
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if is_config and name == CONFIG:
                config = json.loads(content)
                change(config["config"]["layers"])
                content = json.dumps(config)
            if not is_config and name == WEIGHTS:
                scratch = path.with_suffix(".scratch")
                scratch.write_bytes(content)
                with h5py.File(scratch, "r+") as file:
                    change(file, *_first_array(file))
                content = scratch.read_bytes()
                scratch.unlink()
            target.writestr(name, content)


def _first_array(file: h5py.File) -> tuple[str, tuple[int, ...]]:
    """Takes the first array of numbers out; returns its name and shape."""
    names = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    shape = file[names[0]].shape
    del file[names[0]]
    return names[0], shape


def _wide(layers: list[dict]) -> None:
    first = next(layer for layer in layers if layer["class_name"] == "Conv2DTranspose")
    first["config"]["filters"] = 1 << 24


def _virtual(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "secret", shape)
    file.create_virtual_dataset(name, layout)


def _lambda(path: Path) -> None:
    code = keras.layers.Lambda(lambda x: open(__import__("os").environ["CANARY"], "w") and x)
    keras.Sequential([keras.Input((4,)), code]).save(path)


def _lambda_h5(_: Path, path: Path) -> None:
    _lambda(path.with_suffix(".h5"))
    path.with_suffix(".h5").rename(path)


def _bomb(good: Path, path: Path, member: str) -> None:
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w", 8, compresslevel=1) as target:
        for name in source.namelist():
            with target.open(name, "w") as file:
                file.write(source.read(name))
                for _ in range(BOMB >> 20 if name == member else 0):
                    file.write(b" " * (1 << 20))


def _more(good: Path, path: Path, member: str) -> None:
    shutil.copy(good, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "{}")


def _folder(good: Path, path: Path) -> None:
    path.mkdir()
    with zipfile.ZipFile(good) as source:
        source.extractall(path)


_CONFIGS = {
    "foreign module": lambda layers: layers[1].update(EVIL),
    "our name": lambda layers: layers[1].update(EVIL, registered_name="topdown>PoseReading"),
    "reads a model": lambda layers: layers[1].update(READER, config={"filepath": "/"}),
    "fetches": lambda layers: layers[1].update(FETCHER, config={"origin": "http://127.0.0.1:9"}),
    "without module": lambda layers: layers[1].pop("module"),
    "wide": _wide,
}
_WEIGHTS = {
    "external link": lambda f, name, _: f.__setitem__(name, h5py.ExternalLink("secret.h5", "x")),
    "soft link": lambda f, name, _: f.__setitem__(name, h5py.SoftLink("/layers")),
    "external values": lambda f, name, shape: f.create_dataset(
        name, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    ),
    "virtual": _virtual,
    "absent values": lambda f, name, _: f.create_dataset(name, (1 << 31,), "f4"),
    "packed values": lambda f, name, _: f.create_dataset(
        name, (1 << 14, 1 << 14, 16), "f4", chunks=True, compression="gzip"
    ),
}
_FILES = {
    "lambda.keras": lambda _, path: _lambda(path),
    "lambda.h5": _lambda_h5,
    "lambda in h5.keras": _lambda_h5,
    "config bomb.keras": lambda good, path: _bomb(good, path, CONFIG),
    "weights bomb.keras": lambda good, path: _bomb(good, path, WEIGHTS),
    "another member.keras": lambda good, path: _more(good, path, "assets/a"),
    "a folder.keras": _folder,
}
