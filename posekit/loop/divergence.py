"""Numbers that are not finite end a training before anything is saved."""

import json
import math

import numpy as np

from posekit.atomic_files import write_file
from posekit.loop.distribution import on_chief
from posekit.loop.loop_state import Loop


class TrainingDiverged(ArithmeticError):
    """A loss, a gradient or a weight is not finite; what was saved before is untouched."""

    exit_code = 1


def check_step(loop: Loop, batch, terms: dict[str, float], gradients: float) -> None:
    """Looks at what a step gives, whose batch has not changed the weights where it is not finite.

    Args:
        loop: of the run; its progress is that before the step.
        batch: images, targets with "image_id" where there are numbers, weights.
        terms: of the loss, with their sum as "loss".
        gradients: 0 where all are finite, else NaN.

    Raises:
        TrainingDiverged: on all workers; diverged.json names the images.
    """
    scale = getattr(loop.optimizer, "dynamic_scale", None)
    retried = scale is not None and scale.numpy() >= 1.0  # float16: a smaller scale may do
    if math.isfinite(terms["loss"]) and (math.isfinite(gradients) or retried):
        return
    ids = batch[1].get("image_id")
    ids = [] if ids is None else np.ravel(loop.strategy.gather(ids, axis=0).numpy()).tolist()
    where = dict(epoch=loop.progress.epoch + 1, step=loop.progress.step + 1)
    shown = {name: f"{value:.6g}" for name, value in terms.items()}
    report = {**where, "terms": shown, "gradients": f"{gradients:g}", "image_ids": ids}
    on_chief(loop.strategy, lambda: _write(loop, report))
    raise TrainingDiverged(
        f"expected finite losses and gradients, received {shown} at step {where['step']} (epoch "
        f"{where['epoch']}); images {ids}. Look at these images (diverged.json has the list), "
        "lower the learning rate or set clip_norm; the last checkpoint is untouched"
    )


def check_weights(loop: Loop) -> None:
    """Looks at the weights, which a finite gradient times a huge rate can spoil; on the chief.

    Raises:
        TrainingDiverged: names the first variable that is not finite, as does diverged.json.
    """
    for variable in loop.model.variables:
        values = variable.numpy()
        if "float" in str(values.dtype) and not np.isfinite(values).all():
            step = loop.progress.step
            report = dict(epoch=loop.progress.epoch + 1, step=step, weights=variable.path)
            _write(loop, report | {"image_ids": []})
            raise TrainingDiverged(
                f"expected finite weights after step {step}, received NaN or infinity in "
                f"{variable.path}; lower the learning rate or set clip_norm; the last checkpoint "
                "is untouched"
            )


def _write(loop: Loop, report: dict) -> None:
    write_file(loop.run_dir / "diverged.json", json.dumps(report, indent=1) + "\n")
