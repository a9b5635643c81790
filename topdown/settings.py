"""What a top-down network must be told with: how people are cropped and how its maps are read.

The settings live in the network's first layer, so that a .keras file needs nothing beside it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from posekit.skeletons import Skeleton


@dataclasses.dataclass(frozen=True)
class Crop:
    """How a person's box becomes a crop; see `posekit.crops.person_crop_transform`."""

    margin: float = 1.25
    """Factor on the box once it has the shape of the input (Simple Baselines' code)."""
    pixels: float = 0.0
    """Added on every side of the box before, pixels (Enhanced two-stage: 60)."""
    extension: tuple[float, float] = (0.0, 0.0)
    """Shares of width and height added on every side before (MDPN, as CPN: 0.1 and 0.15)."""
    stretch: bool = False
    """Distort the box to the input's shape instead of growing it."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """How maps become keypoints and people are scored; defaults are Simple Baselines'."""

    offset: str = "sign"
    """Quarter offset, see `posekit.decoding.decode_heatmaps`."""
    blur_sigma: float | None = None
    """Gaussian filter before the highest cell is sought, cells (MDPN: 3.5)."""
    shift: bool = True
    """Flip test: mirrored maps go one column to the right before they are averaged."""
    keypoint_threshold: float = 0.2
    """A person's score is the box's times the mean of the keypoint scores above this."""
    box_threshold: float = 0.0
    """People in boxes of lower scores are left out."""
    oks_threshold: float = 0.9
    """OKS-NMS: greatest OKS with a better pose."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of one network."""

    domains: Mapping[str, Skeleton]
    """Name of each head -> its keypoints; the first is the one that is read by default."""
    size: tuple[int, int] = (256, 192)
    """Height and width of a crop, pixels."""
    stride: int = 4
    """Pixels per heatmap cell."""
    sigma: float = 2.0
    """Gaussian radius of the targets, cells."""
    crop: Crop = Crop()
    """From box to crop."""
    reading: Reading = Reading()
    """From maps to poses."""

    def to_config(self) -> dict[str, Any]:
        """Returns the settings in values that JSON has."""
        skeletons = {name: dataclasses.asdict(s) for name, s in self.domains.items()}
        fields = {"size": list(self.size), "stride": self.stride, "sigma": self.sigma}
        parts = {"crop": dataclasses.asdict(self.crop), "reading": dataclasses.asdict(self.reading)}
        # A list keeps the order of the domains where JSON objects are sorted.
        return {"domains": list(skeletons.items()), **fields, **parts}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Settings":
        """Reads what `to_config` made."""
        crop = dict(config["crop"], extension=tuple(config["crop"]["extension"]))
        return cls(
            domains={name: _skeleton(fields) for name, fields in config["domains"]},
            size=tuple(config["size"]),
            stride=config["stride"],
            sigma=config["sigma"],
            crop=Crop(**crop),
            reading=Reading(**config["reading"]),
        )


@keras.saving.register_keras_serializable("topdown")
class PoseReading(keras.layers.Layer):
    """Passes crops on unchanged and keeps the settings.

    Args:
        settings: of the network.
    """

    def __init__(self, settings: Settings, **options):
        super().__init__(trainable=options.pop("trainable", False), autocast=False, **options)
        self.settings = settings

    def call(self, crops):
        """Returns the crops."""
        return crops

    def compute_output_spec(self, crops):
        """The crops' own."""
        return keras.KerasTensor(crops.shape, crops.dtype)

    def get_config(self):
        """Returns the settings among the layer's arguments."""
        return super().get_config() | {"settings": self.settings.to_config()}

    @classmethod
    def from_config(cls, config):
        """Reads what `get_config` made."""
        config = dict(config)
        return cls(Settings.from_config(config.pop("settings")), **config)


def is_topdown(model: keras.Model) -> bool:
    """Whether a network carries top-down settings."""
    return any(isinstance(layer, PoseReading) for layer in model.layers)


def settings_of(model: keras.Model) -> Settings:
    """Returns the settings of a network.

    Raises:
        ValueError: it has none.
    """
    found = [layer.settings for layer in model.layers if isinstance(layer, PoseReading)]
    if len(found) != 1:
        raise ValueError(
            f"expected a top-down network, as scripts/train_topdown.py writes it, received "
            f"{model.name!r} without crop settings"
        )
    return found[0]


def _skeleton(fields: Mapping[str, Any]) -> Skeleton:
    limbs = tuple((int(a), int(b)) for a, b in fields["limbs"])
    return Skeleton(
        fields["name"],
        tuple(fields["names"]),
        limbs,
        tuple(map(int, fields["flip"])),
        tuple(map(float, fields["sigmas"])),
    )
