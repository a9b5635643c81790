import json
import types
from pathlib import Path

import pytest

from posekit.datasets.rejected import RejectedImages, TooManyBadImages
from posekit.images import ImageError
from posekit.metrics.evaluation_report import exit_code_of


class Pictures(types.SimpleNamespace):
    def __len__(self):
        return 50


@pytest.fixture
def rejected():
    """Of two data sets of 50 images."""
    return RejectedImages.of(Pictures(image_folder=Path("a")), Pictures(image_folder=Path("b/val")))


def test_pictures_of_one_name_in_several_folders_stay_apart(rejected):
    for name in ("a/one/1.jpg", "a/two/1.jpg", "a/one/1.jpg", "b/val/1.jpg", "elsewhere/1.jpg"):
        rejected.add(ImageError("cut", Path(name)))
    rejected.add(ImageError("empty"))
    found = [(entry["path"], entry["count"]) for entry in rejected.entries()]
    assert found == [("", 1), ("one/1.jpg", 2), ("two/1.jpg", 1), ("1.jpg", 1), ("1.jpg", 1)]


def test_more_than_the_limit_stop_and_are_listed(rejected, tmp_path, capsys):
    path = tmp_path / "rejected-train.jsonl"
    rejected.report(path, 0.01)
    assert not path.exists()
    rejected.add(ImageError("cut", Path("a/1.jpg")))
    rejected.report(path, 0.01)
    assert "1 of 100 images are damaged" in capsys.readouterr().err
    rejected.add(ImageError("cut", Path("a/2.jpg")))
    with pytest.raises(TooManyBadImages, match="2 of 100 .* at most 1.0%") as error:
        rejected.report(path, 0.01)
    assert error.value.exit_code == 3
    lines = list(map(json.loads, path.read_text().splitlines()))
    assert lines == [{"path": f"{i}.jpg", "reason": "cut", "count": 1} for i in (1, 2)]
    rejected.report(path, 0.02, read=500)  # there are 100
    with pytest.raises(TooManyBadImages, match="2 of 99 "):
        rejected.report(path, 0.02, read=99)
    RejectedImages(100).report(path, 0.02)
    assert path.exists()  # after a resume not all images were read


@pytest.mark.parametrize(
    ("damaged", "evaluated", "code"), [(0, 0, 0), (0, 9, 0), (1, 99, 0), (1, 98, 3), (3, 0, 2)]
)
def test_how_an_evaluation_ends(damaged, evaluated, code):
    assert exit_code_of([{}] * damaged, evaluated, 0.01) == code
