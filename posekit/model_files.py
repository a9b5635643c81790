"""What a .keras file holds, told without TensorFlow and before anything of it is made."""

import json
import zipfile
import zlib
from pathlib import Path

from posekit.archives import check_packing
from posekit.regular_files import check_regular

KINDS = {
    "topdown>PoseReading": "topdown",
    "topdown>SsdReading": "ssd",
    "multiposenet>PoseHead": "multiposenet",
    "tracking>PairCentering": "flow",
}
"""Registered name of the layer that only such a model has -> kind of model."""
_MADE_BY = {
    "topdown": "a top-down network (scripts/train_topdown.py)",
    "ssd": "an SSD (scripts/train_ssd.py)",
    "multiposenet": "a joined MultiPoseNet (scripts/join.py)",
    "flow": "a flow network (scripts/convert_flownet.py)",
}
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_CONFIG_BYTES = 1 << 24
"""Largest accepted description of the layers; that of a ResNet-152 has half a million bytes."""
MAX_BYTES = 1 << 30
"""Largest accepted content, unpacked; two ResNet-152 with all that follows them have half of it."""
MAX_RATIO = 100
"""Unpacked bytes per packed one, above `FREE_BYTES`: weights shrink by a tenth, bombs by 1,000."""
FREE_BYTES = 1 << 24
KERAS_CLASSES = {
    "keras": {"DTypePolicy", "Sequential"},
    "keras.initializers": {"Constant", "GlorotUniform", "HeNormal", "Ones", "RandomNormal"}
    | {"VarianceScaling", "Zeros"},
    "keras.layers": {"Activation", "Add", "BatchNormalization", "Concatenate", "Conv2D"}
    | {"Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "EinsumDense"}
    | {"InputLayer", "LeakyReLU", "MaxPooling2D", "Permute", "ReLU", "Rescaling", "Reshape"}
    | {"Softmax", "UnitNormalization", "UpSampling2D", "ZeroPadding2D"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.numpy": {"GetItem"},
    None: {"__ellipsis__", "__keras_tensor__", "__slice__"},
}
"""Module -> what a file may hold of it: what our networks are made of. Some other classes of Keras
run code that the file brings (Lambda), or read files that it names (TFSMLayer)."""
OUR_CLASSES = {
    "multiposenet>PoseHead": "multiposenet.pose_head",
    "posekit>ColourNormalization": "posekit.normalization",
    "topdown>PoseReading": "topdown.settings",
    "topdown>SsdReading": "topdown.ssd_settings",
    "tracking>PairCentering": "tracking.flownet",
    "tracking>Quadrupling": "tracking.flownet",
}
"""Registered name -> module of our layers."""


class ModelFileError(ValueError):
    """A path without a Keras model, or with one of a kind that is not wanted."""

    exit_code = 2


def kind_of_model(path: Path | str) -> str:
    """Tells from the layers in a .keras file which part of this library reads it.

    Args:
        path: .keras file, or run folder, whose best.keras is taken.

    Returns:
        "topdown": keypoints of crops, with its settings; "ssd": a person detector with its
        settings; "multiposenet": a joined model; "flow": a flow network; "other": any other Keras
        model, such as a single network of MultiPoseNet.

    Raises:
        ModelFileError: nothing is there, or no .keras file of layers that our networks have.
    """
    path = Path(path)
    path = path / "best.keras" if path.is_dir() else path
    names = check_model_file(path)
    found = {kind for name, kind in KINDS.items() if name in names}
    if len(found) > 1:
        raise ModelFileError(
            f"{path}: expected a model of one kind, received layers of {', '.join(sorted(found))}"
        )
    return found.pop() if found else "other"


def model_file(path: Path | str, *kinds: str) -> Path:
    """Returns the file of a model, if it is of one of the kinds.

    Args:
        path: .keras file, or run folder, whose best.keras is taken.
        kinds: of `kind_of_model`.

    Raises:
        ModelFileError: it is of another kind, or as `kind_of_model`.
    """
    kind = kind_of_model(path)
    if kind not in kinds:
        expected = " or ".join(_MADE_BY[wanted] for wanted in kinds)
        raise ModelFileError(f"{path}: expected {expected}, received a model of kind {kind}")
    return Path(path) / "best.keras" if Path(path).is_dir() else Path(path)


def check_model_file(path: Path | str) -> set[str]:
    """Checks size, members and layers of a .keras file; makes nothing of what it describes.

    Returns:
        The names under which its layers, nested ones too, are registered.

    Raises:
        ModelFileError: naming the file and what is wrong.
    """
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist())
            return _checked_names(archive.read(CONFIG))
    except FileNotFoundError:
        raise ModelFileError(
            f"{path} is missing; expected a .keras file or a finished run"
        ) from None
    # NotImplementedError, RuntimeError: a zip file of another compression, or with a password.
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelFileError(
            f"{path}: expected a .keras file, as the training scripts write it, received: {reason}"
        ) from error


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    check_packing(members)
    names = [member.filename for member in members]
    strange = sorted(set(names) - {CONFIG, METADATA, WEIGHTS})
    if strange or len(set(names)) < len(names):
        raise ValueError(f"a member {strange[0]!r:.60}" if strange else "a member twice")
    sizes = {member.filename: member.file_size for member in members}
    if sizes.get(CONFIG, 0) > MAX_CONFIG_BYTES or sum(sizes.values()) > MAX_BYTES:
        raise ValueError(f"members of {sizes} bytes, more than any of our networks")
    for member in members:
        if member.file_size > max(FREE_BYTES, MAX_RATIO * member.compress_size):
            raise ValueError(
                f"{member.filename} of {member.file_size} bytes, packed in {member.compress_size}"
            )


def _checked_names(config: bytes) -> set[str]:
    """The registered names in a config.json; every class in it must be one of the known ones."""
    names = set()

    def check(item: dict) -> dict:
        names.add(str(item.get("registered_name")))
        if "class_name" in item and not _is_known(item):
            parts = (item.get("module"), item["class_name"], item.get("registered_name"))
            raise ValueError("the class {!r:.60} {!r:.60}, registered as {!r:.60}".format(*parts))
        return item

    json.loads(config, object_hook=check)
    return names


def _is_known(item: dict) -> bool:
    module, name, registered = (item.get(k) for k in ("module", "class_name", "registered_name"))
    if any(not isinstance(value, (str, type(None))) for value in (module, name, registered)):
        return False
    if registered in OUR_CLASSES:
        return module == OUR_CLASSES[registered] and name == registered.partition(">")[2]
    return name in KERAS_CLASSES.get(module, ()) and registered in (None, name)
