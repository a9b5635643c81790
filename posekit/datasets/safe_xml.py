"""XML of strangers: no document type, hence no entities that read files or grow without end."""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from posekit.regular_files import check_regular

MAX_BYTES = 10_000_000
"""Largest accepted file; VOC's have some kilobytes."""


def read_xml(path: str | Path) -> Element:
    """Returns the root of an XML file.

    Raises:
        ValueError: naming the file and line: no XML, with a document type, or too large.
        OSError: the file cannot be read.
    """
    path = Path(path)
    check_regular(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path}: expected at most {MAX_BYTES} bytes, received {size}")
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except (expat.ExpatError, ValueError) as error:
        raise ValueError(f"{path}: expected plain XML, received: {error}") from None


def _refuse(name: str, *_: object) -> None:
    raise ValueError(f"a document type, {name!r:.40}, which may define entities")
