"""What the evaluations of all models tell in the same words: protocol, damaged images, progress."""

import sys


def protocol_text(protocol: dict[str, object]) -> str:
    """Returns a protocol for reading, a line each."""
    return "\n".join(f"{name}: {_words(value)}" for name, value in protocol.items())


def damaged_text(damaged: list[dict]) -> list[str]:
    """Names the images that were not evaluated (`RejectedImages.entries`), a line each."""
    return [f"damaged, not evaluated: {one['path']}: {one['reason']}" for one in damaged]


def exit_code_of(damaged: list[dict], evaluated: int, limit: float) -> int:
    """Says how an evaluation ended.

    Args:
        damaged: images, see `RejectedImages.entries`.
        evaluated: how many others there were.
        limit: greatest share of damaged images.

    Returns:
        0: at most so many were damaged; 3: more; 2: all.
    """
    if not damaged:
        return 0
    if not evaluated:
        return 2
    return 3 if len(damaged) > limit * (evaluated + len(damaged)) else 0


def show_progress(done: int, count: int) -> None:
    """Writes how many images are done over the last such line, where stderr is a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done >= count else ""
        print(f"\r{done} of {count} images", end=end, file=sys.stderr, flush=True)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
