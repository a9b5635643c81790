"""Numbers that a recipe may have; Keras would refuse others late, or train with them."""

from itertools import pairwise

from posekit.commands import UsageError
from posekit.recipes import TrainingRecipe

_ANY, _FINITE, _BELOW_ONE, _ABOVE_ZERO = 2**53, 3e38, 1 - 2**-24, 1e-30
LIMITS = {
    **dict.fromkeys(("batch_size", "epochs", "epoch_steps", "steps"), (1, _ANY)),
    **dict.fromkeys(("validate_every", "eval_images", "train_images"), (1, _ANY)),
    **dict.fromkeys(("patience", "checkpoint_steps", "threads"), (0, _ANY)),
    **dict.fromkeys(("learning_rate", "epsilon", "weight_decay"), (0, _FINITE)),
    **dict.fromkeys(("clip_norm", "input_timeout"), (_ABOVE_ZERO, _FINITE)),
    **dict.fromkeys(("momentum", "ema"), (0, _BELOW_ONE)),
    "bad_images": (0, 1),
    "seed": (0, 2**32 - 1),
}
"""Field -> least and greatest value; NaN is neither, and None, which means "off", always may be."""


def check_numbers(recipe: TrainingRecipe, prefix: str = "--") -> None:
    """Refuses what is out of its limits, before anything is read or written.

    Args:
        recipe: any.
        prefix: of its options' names.

    Raises:
        UsageError: names the option, its limits and what it was given.
    """
    for name, (least, greatest) in LIMITS.items():
        value = getattr(recipe, name)
        if value is not None and not least <= value <= greatest:
            above = "above 0" if least == _ABOVE_ZERO else f"from {least} on"
            wanted = {_ANY: f"at least {least}", _FINITE: f"a finite number {above}"}
            wanted = wanted.get(greatest, f"{least} to {greatest:.10g}")
            raise UsageError(f"{prefix}{_option(name)}: expected {wanted}, received {value}")
    for name in ("drops", "drop_steps"):
        drops = getattr(recipe, name)
        if any(one >= other for one, other in pairwise((0, *drops))):
            raise UsageError(
                f"{prefix}{_option(name)}: expected rising numbers above 0, received {drops}"
            )


def _option(name: str) -> str:
    return name.replace("_", "-")
