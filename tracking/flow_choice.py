"""What the words of a command line say about flow, as a flow source."""

import hashlib
from pathlib import Path
from typing import Literal

from posekit.atomic_files import whole_files
from posekit.commands import UsageError
from tracking.flo_files import FloFolder, Naming
from tracking.flow import DisFlow, FlowSource, Preset
from tracking.flow_cache import CachedFlow

SAMPLE = 4096
"""Bytes from the middle of each .flo file by which folders are told apart: files of one video all
have the same size, and reading 10,000 of them whole takes minutes."""


def kind_of_flow(word: str) -> Literal["none", "dis", "folder", "network"]:
    """Tells what a word means; "none" and "dis" do so also where there is a folder of that name.

    Raises:
        UsageError: it means nothing.
    """
    if word in ("none", "dis"):
        return word
    if Path(word).is_dir():
        return "folder"
    if Path(word).suffix == ".keras":
        return "network"
    raise UsageError(
        f"--flow: expected dis, none, a folder of .flo files or a .keras file, received {word!r}"
    )


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
    kind = kind_of_flow(word)
    if kind == "none":
        return None
    if kind == "folder":
        if not whole_files(word, ".flo"):
            raise UsageError(f"--flow: expected .flo files in {word}, found none")
        return FloFolder(Path(word), naming)
    if kind == "dis":
        source = DisFlow(preset, longest_side=longest_side)
    else:
        from tracking.flownet import NetworkFlow, load_flow_network  # TensorFlow takes seconds

        source = NetworkFlow(load_flow_network(word), longest_side=longest_side)
    return CachedFlow(source, flow_folder(cache)) if cache else source


def flow_folder(folder: Path) -> Path:
    """Makes a folder for flow, unless it is there.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"expected a folder for flow, received {folder} ({error.strerror})"
        ) from error
    return folder


def flow_facts(word: str) -> tuple[dict[str, str], tuple[Path, ...]]:
    """Says what tells a flow source from others, for the header of a run.

    Args:
        word: as for `flow_of`.

    Returns:
        settings: "flow", its name; for a folder also "flow_files", by which one with other
            contents is noticed.
        models: the file of a network.
    """
    kind, path = kind_of_flow(word), Path(word)
    settings = {"flow": path.absolute().name}
    if kind == "folder":
        settings["flow_files"] = _digest_of(path)
    return settings, (path,) if kind == "network" else ()


def _digest_of(folder: Path) -> str:
    """Of the names and sizes of its .flo files, and of some bytes of each."""
    digest = hashlib.sha256()
    for path in whole_files(folder, ".flo"):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\n".encode(errors="surrogateescape"))
        with path.open("rb") as file:
            file.seek(max(0, size - SAMPLE) // 2)
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()[:32]
