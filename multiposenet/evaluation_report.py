"""What the evaluations of a joined model tell in the same words: protocol and mask."""

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


def mask_text(mask: dict[str, float | int | None]) -> str:
    """Returns the figures of `PersonIoU.result` as one line."""
    iou = "none" if mask["iou"] is None else f"{mask['iou']:.4f}"
    pixels = f"{mask['pixels']} pixels, {mask['unknown_pixels']} more unknown"
    return f"person mask IoU {iou}  of {pixels}"
