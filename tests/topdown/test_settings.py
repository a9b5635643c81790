import keras
import pytest

from posekit.skeletons import COCO, MPII
from topdown.settings import Crop, PoseReading, Reading, Settings, is_topdown, settings_of

SETTINGS = Settings(
    {"mpii": MPII, "coco": COCO},  # not in alphabetical order
    size=(96, 64),
    stride=8,
    sigma=1.0,
    crop=Crop(1.0, 60.0, (0.1, 0.15), True),
    reading=Reading("second_peak", 3.5, False, 0.1, 0.5, 0.4),
)


def network(*, with_settings: bool) -> keras.Model:
    crops = keras.Input((96, 64, 3))
    x = PoseReading(SETTINGS, name="reading")(crops) if with_settings else crops
    return keras.Model(crops, keras.layers.Conv2D(1, 1)(x))


def test_settings_travel_in_the_file_of_a_network(tmp_path):
    network(with_settings=True).save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert settings_of(loaded) == SETTINGS
    assert list(settings_of(loaded).domains) == ["mpii", "coco"]
    assert is_topdown(loaded)


def test_a_network_without_settings_is_refused():
    assert not is_topdown(network(with_settings=False))
    with pytest.raises(ValueError, match="train_topdown"):
        settings_of(network(with_settings=False))
