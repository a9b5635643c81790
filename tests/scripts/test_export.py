import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from script_runs import help_at_once
from tiny_networks import joined, photo

from multiposenet.export_run import export_and_check
from multiposenet.model import ModelError
from posekit.commands import UsageError
from posekit.export_command import encoded
from posekit.images import ImageError, decode_image, read_image

ROOT = Path(__file__).parents[2]


def run(*words, **options):
    command = [sys.executable, ROOT / "scripts" / "export.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    joined().save(path)
    return path


def test_help_answers_at_once():
    said = help_at_once("export")
    assert "--verify-only" in said and "image_bytes" in said


def test_wrong_input_is_refused_and_nothing_is_written(model_file, tmp_path):
    output = {"output": tmp_path / "models"}
    with pytest.raises(UsageError, match="expected the folder of a version"):
        export_and_check(model_file, verify_only=tmp_path, **output)
    for name in ("a/b", "a:b", "..", ".hidden"):
        with pytest.raises(UsageError, match="without / and :"):
            export_and_check(model_file, name=name, **output)
    with pytest.raises(ModelError, match="absent.keras"):
        export_and_check(tmp_path / "absent.keras", **output)
    with pytest.raises(ImageError, match="absent.jpg"):
        export_and_check(model_file, images=[tmp_path / "absent.jpg"], **output)
    with pytest.raises(UsageError, match="received 0; the next is 1"):
        export_and_check(model_file, version=0, **output)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_other_formats_are_sent_as_png(tmp_path):
    Image.fromarray(photo()).save(tmp_path / "a.bmp")
    data = encoded(tmp_path / "a.bmp")
    assert data.startswith(b"\x89PNG") and (decode_image(data) == photo()).all()
    Image.fromarray(photo()).save(tmp_path / "a.jpg")
    assert (decode_image(encoded(tmp_path / "a.jpg")) == read_image(tmp_path / "a.jpg")).all()


@pytest.mark.slow
def test_script_writes_and_verifies(model_file, tmp_path):
    Image.fromarray(photo()).save(tmp_path / "a.jpg")
    done = run(model_file, "--name", "people", "--verify", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("models/people/1: ") and "26 people" in done.stdout
    again = run(model_file, "--name", "people", "--version", 1, cwd=tmp_path)
    assert again.returncode == 2 and "received 1; the next is 2" in again.stderr
    joined(seed=1).save(tmp_path / "other.keras")
    words = ("other.keras", "--verify-only", "models/people/1", "--images", "a.jpg")
    other = run(*words, cwd=tmp_path)
    assert other.returncode == 1 and " 7 people" in other.stdout
    assert [path.name for path in (tmp_path / "models/people").iterdir()] == ["1"]
