"""Speed of tracking: updates of the tracker alone, flow, and the share of each in a frame."""

from pathlib import Path

import cv2
import numpy as np

from posekit.commands import make_folder
from posekit.frames import Frame
from tracking.benchmark_tracker import CLOCKS, cost_by_people, plot_cost
from tracking.flow import DisFlow

SIZE = (360, 640)


def benchmark(people: tuple[int, ...], rounds: int, clock: str, output: Path | None) -> None:
    """Measures and prints; `scripts/benchmark.py` says what.

    Args:
        people: numbers of people, 20 among them: theirs is set beside the flow.
        rounds: repetitions, of which the best counts.
        clock: "wall" or "cpu".
        output: folder for the plot; None: none.
    """
    if output is not None:
        make_folder("--output", output)
    rows = cost_by_people(people, rounds=rounds, clock=clock)
    print("people  ms/update  updates/s  beside the reference")
    for row in rows:
        numbers = row["people"], row["milliseconds"], row["updates_per_second"], row["references"]
        print("{:6d}  {:9.2f}  {:9.0f}  {:8.1f}".format(*numbers))
    link = next((row["milliseconds"] for row in rows if row["people"] == 20), None)
    for preset in ("ultrafast", "fast", "medium"):
        for check in (False, True):
            print(flow_line(preset, check, rounds, clock, link))
    if output is not None:
        plot_cost(rows, output / "tracker_cost.png")
        print(output / "tracker_cost.png")


def flow_line(preset: str, check: bool, rounds: int, clock: str, link: float | None) -> str:
    """Says how long DIS takes for a pair of frames, and its share beside the tracker's update."""
    first, second = moved_texture()
    source = DisFlow(preset=preset, consistency=check)
    now, times = CLOCKS[clock], []
    for _ in range(max(rounds, 2)):
        start = now()
        source(first, second)
        times.append(1e3 * (now() - start))
    words = f"DIS {preset}{' and back' if check else ''}, {SIZE[1]}x{SIZE[0]}: {min(times):.1f} ms"
    share = "" if link is None else f", {min(times) / (min(times) + link):.0%} of flow and linking"
    return words + share


def moved_texture() -> tuple[Frame, Frame]:
    """Two frames of a texture that moves by 4 and 2 pixels."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 255, (SIZE[0] // 4 + 8, SIZE[1] // 4 + 8, 3)).astype(np.uint8)
    large = cv2.resize(noise, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    cuts = [large[y : y + SIZE[0], x : x + SIZE[1]] for y, x in ((10, 10), (8, 6))]
    return tuple(Frame(image.copy(), index) for index, image in enumerate(cuts))
