"""Compute the optical flow of a video or of a folder of pictures, for later runs or other programs.

python scripts/compute_flow.py VIDEO.mp4 --output flow                with DIS, as .flo files
python scripts/compute_flow.py PICTURES --output cache --form cache   small files for this library
python scripts/compute_flow.py VIDEO.mp4 --model flownet_s.keras      with a network

Of .flo files, 000000.flo holds the flow from frame 0 to frame 1, and so on. A cache knows pairs of
frames by their content: it can be shared by many videos, and what is in it is not computed again.
Exit code 0: done, 3: damaged frames, or pairs without flow, were skipped, 2: no video, or wrong
options.
"""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Literal

import tyro

from posekit.atomic_files import whole_files
from posekit.commands import UsageError, run


@dataclasses.dataclass(frozen=True)
class FlowComputation:
    """What to compute, and how."""

    video: tyro.conf.Positional[Path]
    """Video file, or folder of pictures."""
    output: Path = Path("flow")
    """Folder to write into."""
    form: Literal["flo", "cache"] = "flo"
    """Middlebury's .flo files, or compressed ones named by the content of the frames."""
    naming: Literal["index", "name"] = "index"
    """FLO: files called by the number of the first frame, or by the name of its picture."""
    model: Path | None = None
    """A .keras file of a flow network (convert_flownet.py makes one); none: OpenCV's DIS."""
    preset: Literal["ultrafast", "fast", "medium"] = "medium"
    """DIS: the slower, the better."""
    longest_side: int | None = 480
    """Pixels; larger frames are made smaller for the computation, as track.py does. None: never."""
    consistency: bool | None = None
    """Also compute the flow back. A cache then holds where both agree, which track.py wants; .flo
    files say "unknown" where they do not, and have no vectors there. None: for a cache alone."""


def main() -> int:
    """Reads the command line, computes and writes; returns the exit code."""
    options = tyro.cli(FlowComputation, description=__doc__)
    check(options)
    from posekit.video.reading import open_video  # late: --help answers at once

    video = open_video(options.video)
    write = writer(flow_source(options), options)
    start, done, skipped, before = time.perf_counter(), 0, 0, None
    for frame in video.frames():
        if before is not None:
            reason = write(before, frame)
            done, skipped = done + (reason is None), skipped + (reason is not None)
            if reason:
                print(f"skipped: {reason}", file=sys.stderr)
        before = frame
    for fault in video.faults:
        print(f"{options.video}: frame {fault.frame}: {fault.reason}", file=sys.stderr)
    each = 1000 * (time.perf_counter() - start) / max(done, 1)
    print(f"{done} flows, {skipped} pairs skipped, {each:.0f} ms each: {options.output}")
    return 3 if skipped or video.faults.total else 0


def check(options: FlowComputation) -> None:
    """Refuses what would overwrite or mix.

    Raises:
        UsageError: naming it.
    """
    if options.form == "flo" and whole_files(options.output, ".flo"):
        raise UsageError(
            f"--output: expected a folder without .flo files, there are some in {options.output}; "
            "remove them, or take another one"
        )
    if options.longest_side is not None and options.longest_side < 16:
        raise UsageError(f"--longest-side: expected at least 16, received {options.longest_side}")
    if options.naming == "name" and not (options.form == "flo" and options.video.is_dir()):
        raise UsageError("--naming name: expected a folder of pictures, and .flo files to write")


def flow_source(options: FlowComputation):
    """Returns what computes the flow."""
    back = options.form == "cache" if options.consistency is None else options.consistency
    if options.model is None:
        from tracking.flow import DisFlow

        return DisFlow(options.preset, back, options.longest_side)
    from tracking.flownet import NetworkFlow, load_flow_network

    network = load_flow_network(options.model)
    return NetworkFlow(network, back, options.longest_side)


def writer(source, options: FlowComputation):
    """Returns what computes and writes a pair of frames, or returns why it cannot."""
    from tracking.flo_files import flo_name, write_flo
    from tracking.flow_choice import flow_folder

    flow_folder(options.output)
    if options.form == "cache":
        from tracking.flow_cache import CachedFlow

        source = CachedFlow(source, options.output)

    def write(first, second) -> str | None:
        if first.size != second.size:
            return f"frames {first.index} and {second.index} differ in size"
        if options.form == "cache":
            source(first, second)
            return None
        if second.index != first.index + 1:
            return f"no frame between {first.index} and {second.index}"
        write_flo(options.output / flo_name(first, options.naming), source(first, second))
        return None

    return write


if __name__ == "__main__":
    run(main)
