"""From the words of a command line to photos, each with an id and a name of its own."""

import dataclasses
import glob
import itertools
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from posekit.commands import UsageError

SUFFIXES = frozenset((".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp"))
"""What counts as an image where folders and globs are searched; in small or capital letters."""

_COCO_NAME = re.compile(r"(?:COCO_\w+_)?([0-9]{1,18})")
_LONGEST_NAME = 200
"""Bytes; file systems take 255, endings and the temporary prefix included."""


@dataclasses.dataclass(frozen=True)
class Photo:
    """An image file to predict.

    Args:
        path: where it is, as given or found.
        file_name: path from the folder that all photos of the run share, with "/".
        name: what its results are called; no two of a run differ in capital letters alone.
        image_id: its number in COCO files.
    """

    path: Path
    file_name: str
    name: str
    image_id: int


def find_files(words: Sequence[str]) -> list[Path]:
    """Finds the image files that the words of a command line name.

    Args:
        words: paths of files, which are taken whatever they are called and also where they are
            missing, so that the reader of images reports them; of folders, for the images in them
            but not in their sub-folders; or globs, where "**" stands for any number of folders.
            A path that exists is never taken for a glob.

    Returns:
        The files in the order of the words, those of a folder or glob by name; a file that several
        words name counts once, where it comes first. Hidden files of folders are left out.

    Raises:
        UsageError: no words, or naming the folder or glob without images.
    """
    if not words:
        raise UsageError("expected image files, folders or globs, received none")
    files: dict[str, Path] = {}
    for word in words:
        for path in _files_of(word):
            # Folders by their real place; two links to one photo are two photos.
            key = os.path.join(os.path.realpath(path.parent), path.name)
            files.setdefault(key, path)
    return list(files.values())


def photos_of(files: Sequence[Path], reserved: Sequence[str] = ()) -> list[Photo]:
    """Gives each file its id and the name of its results.

    Args:
        files: at least one, none twice.
        reserved: names that no photo gets.

    Returns:
        Photos in the given order. Ids are the numbers in the file names where all are named as in
        COCO ("000000000785.jpg", "COCO_val2014_000000000785.jpg") and differ, else 1, 2, ... Names
        are those of the files without suffix; one that is taken gets "-2", "-3", ...
    """
    absolute = [os.path.abspath(path) for path in files]
    shared = os.path.commonpath([os.path.dirname(path) for path in absolute])
    file_names = [Path(os.path.relpath(path, shared)).as_posix() for path in absolute]
    names = _different([path.stem for path in files], reserved)
    columns = zip(files, file_names, names, _image_ids(files), strict=True)
    return [Photo(*row) for row in columns]


def check_output(folder: Path, photos: Sequence[Photo]) -> None:
    """Refuses an output folder that holds photos of the run, which results could overwrite.

    Raises:
        UsageError: naming the first of them.
    """
    output = os.path.realpath(folder)
    inside = [photo for photo in photos if os.path.realpath(photo.path.parent) == output]
    if inside:
        raise UsageError(
            f"--output: expected a folder without photos to predict, received {folder}, which "
            f"holds {inside[0].path.name}; name another folder"
        )


def _files_of(word: str) -> list[Path]:
    path = Path(word)
    if path.is_dir():
        found, kind = list(path.iterdir()), "folder"
    elif not glob.has_magic(word) or os.path.lexists(path):
        return [path]
    else:
        found, kind = list(map(Path, glob.glob(word, recursive=True))), "glob"
    files = sorted(p for p in found if p.suffix.lower() in SUFFIXES and not p.is_dir())
    files = [p for p in files if not p.name.startswith(".")]
    if not files:
        raise UsageError(
            f"expected images ({' '.join(sorted(SUFFIXES))}) in the {kind} {word!r}, received "
            f'{len(found)} other files and folders; for sub-folders write "FOLDER/**/*.jpg"'
        )
    return files


def _different(stems: Sequence[str], reserved: Sequence[str]) -> list[str]:
    names, taken = [], {_key(name) for name in reserved}
    next_numbers: dict[str, itertools.count] = {}
    for stem in map(_shortened, stems):
        numbers = next_numbers.setdefault(_key(stem), itertools.count(2))
        name = stem
        while _key(name) in taken:
            name = f"{stem}-{next(numbers)}"
        taken.add(_key(name))
        names.append(name)
    return names


def _key(name: str) -> str:
    """Equal for names that some file systems take for one: A and a, composed and decomposed é."""
    return unicodedata.normalize("NFC", name).casefold()


def _shortened(stem: str) -> str:
    data = os.fsencode(stem)
    return stem if len(data) <= _LONGEST_NAME else data[:_LONGEST_NAME].decode("utf-8", "ignore")


def _image_ids(files: Sequence[Path]) -> list[int]:
    matches = [_COCO_NAME.fullmatch(path.stem) for path in files]
    ids = [int(match[1]) for match in matches if match]
    return ids if len(set(ids)) == len(files) else list(range(1, len(files) + 1))
