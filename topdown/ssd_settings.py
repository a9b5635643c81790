"""What a saved SSD must be told with: its default boxes and how its outputs become boxes.

The settings live in the network's first layer, so that a .keras file needs nothing beside it.
"""

import dataclasses
from typing import Any

import keras


@dataclasses.dataclass(frozen=True)
class SsdSettings:
    """Of one network."""

    size: int = 300
    """Side of the square input, pixels: 300 or 512."""
    scales: tuple[float, float] = (0.1, 0.2)
    """Of the default boxes, see `default_boxes.make_default_boxes`."""
    score_threshold: float = 0.01
    """Least score of a box that is kept."""
    nms_threshold: float = 0.45
    """Boxes that overlap a better one by a greater IoU are dropped."""
    max_boxes: int = 200
    """Most boxes of an image."""


@keras.saving.register_keras_serializable("topdown")
class SsdReading(keras.layers.Layer):
    """Passes images on unchanged and keeps the settings.

    Args:
        settings: of the network.
    """

    def __init__(self, settings: SsdSettings, **options):
        super().__init__(trainable=options.pop("trainable", False), autocast=False, **options)
        self.settings = settings

    def call(self, images):
        """Returns the images."""
        return images

    def compute_output_spec(self, images):
        """The images' own."""
        return keras.KerasTensor(images.shape, images.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the settings among the layer's arguments."""
        return super().get_config() | {"settings": dataclasses.asdict(self.settings)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SsdReading":
        """Reads what `get_config` made."""
        config = dict(config)
        fields = dict(config.pop("settings"))
        return cls(SsdSettings(**fields | {"scales": tuple(fields["scales"])}), **config)


def ssd_settings(model: keras.Model) -> SsdSettings:
    """Returns the settings of an SSD.

    Raises:
        ValueError: it has none.
    """
    for layer in model.layers:
        if isinstance(layer, SsdReading):
            return layer.settings
    raise ValueError(
        f"expected an SSD, as scripts/train_ssd.py writes it, received {model.name!r} without its "
        "settings"
    )
