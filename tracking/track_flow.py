"""What the words of a command line say about flow, as a flow source."""

from pathlib import Path

from posekit.commands import UsageError
from tracking.flo_files import FloFolder, Naming
from tracking.flow import DisFlow, FlowSource, Preset
from tracking.flow_cache import CachedFlow


def flow_of(
    word: str,
    preset: Preset = "medium",
    longest_side: int | None = None,
    naming: Naming = "index",
    cache: Path | None = None,
) -> FlowSource | None:
    """Makes a flow source.

    Args:
        word: "dis": OpenCV's; "none"; a folder of .flo files; a flow network, a .keras file.
        preset: of DIS.
        longest_side: pixels to which pictures are made smaller before, for DIS and networks.
        naming: of the .flo files.
        cache: folder that keeps what DIS or a network computed; None: nothing is kept.

    Returns:
        None for "none".

    Raises:
        ValueError: with an `exit_code` of 2: there is no such file, or it holds no flow.
    """
    path = Path(word)
    if word == "none":
        return None
    if path.is_dir():
        return FloFolder(path, naming)
    if word == "dis":
        source = DisFlow(preset, longest_side=longest_side)
    elif path.suffix == ".keras":
        from tracking.flownet import NetworkFlow, load_flow_network  # TensorFlow takes seconds

        source = NetworkFlow(load_flow_network(path), longest_side=longest_side)
    else:
        raise UsageError(
            "--flow: expected dis, none, a folder of .flo files or a .keras file, received "
            f"{word!r}"
        )
    return CachedFlow(source, cache) if cache else source
