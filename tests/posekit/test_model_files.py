import json
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import pytest

from posekit.model_files import ModelFileError, kind_of_model
from posekit.skeletons import COCO
from topdown.settings import PoseReading, Settings
from topdown.ssd_settings import SsdReading, SsdSettings

PRETRAINED = Path(__file__).parents[2] / "pretrained"


def save(layer, path):
    images = keras.Input((8, 8, 3))
    keras.Model(images, layer(images)).save(path)
    return path


def write(path, **contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"{name}.json", content)
    return path


def test_each_kind_is_known_by_its_layer(tmp_path):
    reading = save(PoseReading(Settings({"coco": COCO})), tmp_path / "best.keras")
    assert kind_of_model(reading) == kind_of_model(tmp_path) == "topdown"
    nested = keras.Sequential([keras.saving.load_model(reading)])
    assert kind_of_model(save(nested, tmp_path / "nested.keras")) == "topdown"
    assert kind_of_model(save(SsdReading(SsdSettings()), tmp_path / "a.keras")) == "ssd"
    assert kind_of_model(save(keras.layers.ReLU(), tmp_path / "b.keras")) == "other"
    assert kind_of_model(str(PRETRAINED / "multiposenet-mobilenetv2.keras")) == "multiposenet"
    assert kind_of_model(PRETRAINED / "prn-small.keras") == "other"


def test_what_is_no_model_is_refused_by_name(tmp_path):
    deep = "[" * 100_000
    both = [{"registered_name": name} for name in ("topdown>SsdReading", "multiposenet>PoseHead")]
    (tmp_path / "text.keras").write_text("weights")
    files = {
        "absent.keras": (tmp_path / "absent.keras", "is missing"),
        "best.keras": (tmp_path, "is missing"),
        "text.keras": (tmp_path / "text.keras", "not a zip file"),
        "other.keras": (write(tmp_path / "other.keras", metadata="{}"), "no item named"),
        "broken.keras": (write(tmp_path / "broken.keras", config="{"), "JSONDecodeError"),
        "deep.keras": (write(tmp_path / "deep.keras", config=deep), "RecursionError"),
        "two.keras": (write(tmp_path / "two.keras", config=json.dumps(both)), "multiposenet, ssd"),
    }
    for name, (path, reason) in files.items():
        with pytest.raises(ModelFileError, match=rf"{name}.*{reason}"):
            kind_of_model(path)


def test_a_kind_is_told_without_tensorflow():
    path = PRETRAINED / "prn-small.keras"
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'numpy']));"
        f"from posekit.model_files import kind_of_model as kind; print(kind({str(path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "other\n", done.stderr
