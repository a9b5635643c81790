"""What the evaluations of a model tell in the same words: protocol, mask, damaged images."""

import sys

from multiposenet.model import PRETRAINED


def protocol_of_run(options, models: list) -> dict[str, object]:
    """Says which models ran on which data and how, in values that JSON has.

    Args:
        options: with `models`, `data`, `split`, `flip` and `scales`, as `Evaluation` has them.
        models: the loaded ones.
    """
    return {
        "models": [path.name for path in options.models or (PRETRAINED,)],
        "parameters": [model.count_params() for model in models],
        "data": options.data.resolve().name,
        "split": options.split,
        "flip": options.flip,
        "scales": list(options.scales),
    }


def protocol_text(protocol: dict[str, object]) -> str:
    """Returns a protocol for reading, a line each."""
    return "\n".join(f"{name}: {_words(value)}" for name, value in protocol.items())


def mask_text(mask: dict[str, float | int | None]) -> str:
    """Returns the figures of `PersonIoU.result` as one line."""
    iou = "none" if mask["iou"] is None else f"{mask['iou']:.4f}"
    pixels = f"{mask['pixels']} pixels, {mask['unknown_pixels']} more unknown"
    return f"person mask IoU {iou}  of {pixels}"


def damaged_text(damaged: list[dict]) -> list[str]:
    """Names the images that were not evaluated (`RejectedImages.entries`), a line each."""
    return [f"damaged, not evaluated: {one['path']}: {one['reason']}" for one in damaged]


def show_progress(done: int, count: int) -> None:
    """Writes how many images are done over the last such line, where stderr is a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done >= count else ""
        print(f"\r{done} of {count} images", end=end, file=sys.stderr, flush=True)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
