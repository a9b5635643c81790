"""What became of a tracking run: counts, faults of the video, seconds by stage."""

import dataclasses
from collections.abc import Mapping
from typing import Any

HARMLESS = ("time",)
"""Faults that lose nothing of a picture."""


@dataclasses.dataclass(frozen=True)
class TrackReport:
    """Of one run, with all it was resumed from.

    Args:
        footer: last line of the JSON Lines; None: the run was interrupted.
        read: frames that went through the tracker.
        seconds: by stage.
        signal_code: exit code of an interrupted run.
    """

    footer: Mapping[str, Any] | None
    read: int
    seconds: Mapping[str, float]
    signal_code: int = 0

    @property
    def exit_code(self) -> int:
        """0 all frames were read, 3 some were lost or damaged, 128 + signal: interrupted."""
        if self.footer is None:
            return self.signal_code
        return 3 if self.lost else 0

    @property
    def lost(self) -> list[Mapping[str, Any]]:
        """The faults that cost frames or parts of them."""
        faults = (self.footer or {}).get("faults", ())
        return [fault for fault in faults if fault["kind"] not in HARMLESS]

    def to_json(self) -> dict[str, Any]:
        """Returns one object of JSON values."""
        timed = {stage: s for stage, s in {**self.seconds, "all": self.total}.items() if s > 0}
        return {
            "complete": self.footer is not None,
            "read": self.read,
            **{key: value for key, value in (self.footer or {}).items() if key != "end"},
            "seconds": {stage: round(s, 3) for stage, s in self.seconds.items()},
            "frames_per_second": {stage: round(self.read / s, 1) for stage, s in timed.items()},
        }

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return sum(self.seconds.values())

    def to_text(self) -> str:
        """Returns a short summary for people."""
        if self.footer is None:
            return f"{self.read} frames tracked so far; go on with --resume"
        counts = "{frames} frames, {people} poses, {identities} identities".format(**self.footer)
        lines = [
            f"  {stage:8} {seconds:9.2f} s {100 * seconds / self.total:5.1f} % "
            f"{self.read / seconds:9.1f} frames per second"
            for stage, seconds in {**self.seconds, "all": self.total}.items()
            if seconds > 0
        ]
        return "\n".join([counts, *lines])


def make_footer(video, frames: int, people: int, identities: int, limited: bool) -> dict[str, Any]:
    """Returns the last line of the JSON Lines.

    Args:
        video: with `declared_frames`, `decoded_frames` and `faults`.
        frames: that were written.
        people: poses that were written.
        identities: different track ids among them.
        limited: whether the run stopped before the end of the video because it was told so.
    """
    faults = [_without_blanks(dataclasses.asdict(fault)) for fault in video.faults]
    return {
        "frames": frames,
        "declared": video.declared_frames,
        "decoded": video.decoded_frames,
        "limited": limited,
        "people": people,
        "identities": identities,
        "num_faults": video.faults.total,
        "faults": faults,
    }


def _without_blanks(fields: dict[str, Any]) -> dict[str, Any]:
    """Leaves out what is an empty text, such as the file names of a video's frames."""
    return {name: value for name, value in fields.items() if value != ""}
