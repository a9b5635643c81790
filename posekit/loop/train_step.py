"""One training step: forward, backward, reduction over replicas, check, clip, update."""

from collections.abc import Callable

import keras
import tensorflow as tf


def prepare_optimizer(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, strategy, ema: float | None
) -> keras.optimizers.Optimizer:
    """Builds the optimizer's variables inside the scope; wraps it where float16 needs it.

    Args:
        model: built, its variables made inside `strategy.scope()`.
        optimizer: as model; without clipping or gradient accumulation of its own.
        strategy: of the run.
        ema: momentum of the moving average of the weights, or None.

    Raises:
        ValueError: made outside the scope, or the optimizer clips or accumulates gradients itself.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    for option in ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps"):
        if getattr(inner, option, None) is not None:
            raise ValueError(
                f"expected an optimizer without {option}, received {getattr(inner, option)}: with "
                "several replicas Keras applies it before gradients are added; use clip_norm of fit"
            )
    for variable in [*model.variables, *optimizer.variables]:
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise ValueError(
                f"expected every variable inside strategy.scope(), received {variable.path} from "
                "outside; build model and optimizer in `with strategy.scope():`"
            )
    if ema is not None:
        inner.use_ema, inner.ema_momentum, inner.ema_overwrite_frequency = True, ema, None
    with strategy.scope():
        needs_scale = any(layer.dtype_policy.name == "mixed_float16" for layer in model.layers)
        if needs_scale and optimizer is inner:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(model.trainable_variables)
    return optimizer


def make_train_step(
    model: keras.Model,
    losses: Callable,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
    batch_size: int,
    clip_norm: float | None,
) -> Callable:
    """Compiles the step.

    Args:
        model: called with the images of a batch, training=True.
        losses: (outputs, targets, weights) -> dict name -> (B,) tensors.
        optimizer: from `prepare_optimizer`.
        strategy: of the run.
        batch_size: global; losses are divided by it, so they are means over the global batch.
        clip_norm: limit of the global norm of the summed gradients, or None.

    Returns:
        step((images, targets, weights), stop) -> (terms, gradients, stop): terms, a dict of
        scalar means over the global batch, the same on all workers; gradients, 0 where all are
        finite, else NaN; stop, the sum of what the workers passed. Variables change only where
        terms and gradients are finite.
    """
    parts = _StepParts(model, losses, optimizer, batch_size, clip_norm)

    @tf.function
    def step(batch, stop):
        gradients, before, report = strategy.run(parts.backward, args=(*batch, stop))
        report = tf.nest.map_structure(
            lambda number: strategy.experimental_local_results(number)[0], report
        )
        if tf.reduce_all(tf.math.is_finite(tf.stack(tf.nest.flatten(report)))):
            strategy.run(parts.update, args=(gradients,))
        else:
            strategy.run(parts.skip, args=(before,))
        return report

    return step


class _StepParts:
    """What each replica does in a step; the arguments are those of `make_train_step`."""

    def __init__(self, model, losses, optimizer, batch_size, clip_norm):
        self._model, self._losses, self._optimizer = model, losses, optimizer
        self._batch_size, self._clip_norm = batch_size, clip_norm
        self._variables = model.trainable_variables
        self._statistics = [v for v in model.non_trainable_variables if "float" in str(v.dtype)]
        self._scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def forward(self, images, targets, weights):
        """Returns (terms, their sum), this replica's parts of the means over the global batch."""
        outputs = self._model(images, training=True)
        terms = self._losses(outputs, targets, weights)
        if "loss" in terms and len(terms) > 1:
            raise ValueError(
                f'expected losses of other names than "loss", their sum, received {list(terms)}'
            )
        terms = {name: _share(name, term, self._batch_size) for name, term in terms.items()}
        if self._model.losses:
            replicas = tf.distribute.get_replica_context().num_replicas_in_sync
            terms["regularization"] = tf.add_n(self._model.losses) / replicas
        return terms, tf.add_n(list(terms.values()))

    def backward(self, images, targets, weights, stop):
        """Returns (gradients, statistics before the step, what `make_train_step` returns)."""
        before = [tf.identity(v.value) for v in self._statistics]
        with tf.GradientTape() as tape:
            terms, total = self.forward(images, targets, weights)
            goal = self._optimizer.scale_loss(total)
        gradients = tape.gradient(goal, [v.value for v in self._variables])
        gradients = _dense(gradients, self._variables)
        context = tf.distribute.get_replica_context()
        _average_statistics(self._statistics, before, context)
        gradients, norm = self._clip(gradients, context)
        numbers = tf.stack([*terms.values(), norm * 0.0, stop])
        *means, finite, stop = tf.unstack(context.all_reduce(tf.distribute.ReduceOp.SUM, numbers))
        return gradients, before, (dict(zip(terms, means, strict=True)), finite, stop)

    def update(self, gradients):
        """Follows the gradients."""
        self._optimizer.apply(gradients, self._variables)

    def skip(self, before):
        """Undoes what the forward pass did to the statistics; float16: a smaller scale next."""
        for variable, value in zip(self._statistics, before, strict=True):
            variable.assign(value)
        if self._scaled:
            self._optimizer.step_counter.assign(0)
            self._optimizer.dynamic_scale.assign(self._optimizer.dynamic_scale.value * 0.5)

    def _clip(self, gradients: list[tf.Tensor], context) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns (gradients, their global norm before), both summed over replicas if clipped."""
        if self._clip_norm is None:
            return gradients, tf.linalg.global_norm(gradients)
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm(gradients)
        scaled = self._optimizer.dynamic_scale if self._scaled else 1.0
        limit = self._clip_norm * tf.convert_to_tensor(scaled)
        return _clipped(gradients, norm, limit, context), norm


def _average_statistics(statistics: list, before: list[tf.Tensor], context) -> None:
    """Gives all replicas the mean of what the forward pass did to BatchNormalization's statistics.

    Keras never does so. Done in each step, every replica can be validated and saved at any time,
    and a checkpoint more or less changes nothing. Averaging changes keeps frozen values to the bit.
    """
    if context.num_replicas_in_sync == 1 or not statistics:
        return
    changes = [v.value - value for v, value in zip(statistics, before, strict=True)]
    changes = context.all_reduce(tf.distribute.ReduceOp.MEAN, changes)
    for variable, value, change in zip(statistics, before, changes, strict=True):
        variable.assign(value + change)


def _share(name: str, term: tf.Tensor, batch_size: int) -> tf.Tensor:
    """This replica's part of the mean of a loss term over the global batch."""
    if term.shape.rank != 1:
        raise ValueError(
            f"expected loss {name!r} of shape (B,), one number per example, received "
            f"{tuple(term.shape)}; reduce over all axes but the first"
        )
    return tf.reduce_sum(tf.cast(term, tf.float32)) / batch_size


def _dense(gradients: list, variables: list) -> list[tf.Tensor]:
    """Gradients as tensors; a variable that the loss does not reach gets 0."""
    return [
        tf.zeros(v.shape, v.dtype) if g is None else tf.convert_to_tensor(g)
        for g, v in zip(gradients, variables, strict=True)
    ]


def _clipped(gradients: list[tf.Tensor], norm, limit, context) -> list[tf.Tensor]:
    """Clips summed gradients; only the first replica keeps them.

    The optimizer adds gradients over replicas once more; adding zeros keeps them to the bit.
    """
    gradients, _ = tf.clip_by_global_norm(gradients, limit, use_norm=norm)
    if context.num_replicas_in_sync == 1:
        return gradients
    first = tf.equal(context.replica_id_in_sync_group, 0)
    return [tf.where(first, g, tf.zeros_like(g)) for g in gradients]
