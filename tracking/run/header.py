"""What a file of tracks says of itself in its first line."""

import dataclasses
from typing import Any

from posekit.skeletons import Skeleton

FORMAT, VERSION = "posekit tracks", 1


@dataclasses.dataclass(frozen=True)
class TrackHeader:
    """What the first line says.

    Args:
        skeleton: of all people.
        source: file name of the video, without its folder.
        size: (height, width) of the first frame in pixels.
        rate: frames per second; None: not known.
        declared: frames that the source says it has; None: it does not say.
        settings: what decides the result, JSON values.
        models: of each model file "name" and "sha256".
        fingerprint: tells the source from others of its name; "" for a camera.
    """

    skeleton: Skeleton
    source: str
    size: tuple[int, int]
    rate: float | None = None
    declared: int | None = None
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    models: tuple[dict[str, str], ...] = ()
    fingerprint: str = ""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "TrackHeader":
        """Reads the object of the first line.

        Raises:
            ValueError: of another format or version, or with fields missing.
        """
        kind = value.get("format"), value.get("version")
        if kind != (FORMAT, VERSION):
            raise ValueError(f"expected the format {FORMAT!r}, version {VERSION}, received {kind}")
        names = [field.name for field in dataclasses.fields(cls)]
        try:
            fields = {name: value[name] for name in names if name != "size"}
            parts = {name: _tuples(part) for name, part in fields.pop("skeleton").items()}
            size = int(value["height"]), int(value["width"])
            models = tuple(fields.pop("models"))
            return cls(Skeleton(**parts), size=size, models=models, **fields)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"expected a header, received: {error!r}") from None

    def to_json(self) -> dict[str, Any]:
        """Returns the object of the first line."""
        fields = dataclasses.asdict(self)
        height, width = fields.pop("size")
        return {"format": FORMAT, "version": VERSION, "height": height, "width": width, **fields}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
