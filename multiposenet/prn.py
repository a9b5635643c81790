"""The Pose Residual Network (arXiv:1807.04067, section 3.4): which keypoints are this person's?"""

import keras
from keras import layers, ops

from multiposenet.prn_inputs import SIZE, InputKind, draw_labels, draw_people, own_cells

_NAMES = {"peaks": "prn", "heatmaps": "prn_of_heatmaps"}
_UNSEEN = "none_logits"


def prn(
    num_keypoints: int,
    size: tuple[int, int] = SIZE,
    nodes: int = 1024,
    hidden_layers: int = 1,
    dropout: float = 0.5,
    residual: bool = True,
    relu_residual: bool = False,
    softmax: str = "keypoint",
    rank: int | None = None,
    kind: InputKind = "peaks",
    none: bool = False,
) -> keras.Model:
    """Builds y = softmax(phi(x) + x), phi a perceptron over all cells of all keypoints at once.

    Args:
        num_keypoints: K.
        size: (height, width) of the grid in cells.
        nodes: of each hidden layer, with ReLU.
        hidden_layers: one or two in the paper.
        dropout: share of hidden nodes left out in training; 0 for none.
        residual: False leaves out "+ x" (the paper's non-residual model, eq. 3).
        relu_residual: ReLU on phi, as the public code has it; the paper has none.
        softmax: "keypoint": over the cells of each keypoint; "global": over all cells of all.
        rank: None gives the paper's dense layers, 70.2 million parameters with 1024 nodes. Else
            the first and last matrix, (cells x K, nodes), are factored: `rank` maps over the cells,
            the same for all keypoints, and a dense layer between them and the nodes. With rank 64
            and 768 nodes 1.97 million, for K = 17 without `none`.
        kind: of the inputs that it is made for, see `prn_inputs`; `input_kind` reads it again.
        none: adds to the cells of each keypoint one more place, "not to be seen", with a logit of
            its own, so that a person without a left wrist leaves its neighbour's alone. Not in the
            paper, whose maps give every person a share of 1.

    Returns:
        Model of "inputs" (N, height, width, K) float32 to "logits" and "maps", both (N, height,
        width, K) float32. Maps sum to 1 over the cells ("keypoint") or in all ("global"); with
        `none` to less.

    Raises:
        ValueError: an unknown softmax, `none` with a global one, a count below 1.
    """
    if (
        softmax not in ("keypoint", "global")[: 2 - none]
        or min(nodes, hidden_layers, rank or 1) < 1
    ):
        raise ValueError(
            "expected softmax 'keypoint' or 'global' (not with none) and nodes, hidden_layers and "
            f"rank of at least 1, received {softmax!r}, {nodes}, {hidden_layers} and {rank}"
        )
    shape = (num_keypoints, *size)
    inputs = keras.Input((*size, num_keypoints), dtype="float32", name="inputs")
    # Keypoints first, so that all matrices and the softmax run over neighbours in memory.
    maps = layers.Permute((3, 1, 2), dtype="float32", name="by_keypoint")(inputs)
    x = _flat_places(maps, rank)
    for number in range(1, hidden_layers + 1):
        x = layers.Dense(nodes, activation="relu", name=f"hidden{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x) if dropout else x
    unseen = layers.Dense(num_keypoints, dtype="float32", name=_UNSEEN)(x) if none else None
    x = _cells(x, shape, rank)
    x = layers.ReLU(dtype="float32", name="relu")(x) if relu_residual else x
    if residual:
        x = layers.Add(dtype="float32", name="residual")([x, maps])
    x = layers.Activation("linear", dtype="float32", name="keypoint_logits")(x)
    logits = layers.Permute((2, 3, 1), dtype="float32", name="logits")(x)
    x = _shares(x, unseen, softmax)
    maps = layers.Permute((2, 3, 1), dtype="float32", name="maps")(x)
    return keras.Model(inputs, {"logits": logits, "maps": maps}, name=_NAMES[kind])


def input_kind(model: keras.Model) -> InputKind:
    """Says what inputs a network of `prn`, also one from a file, is made for."""
    return "heatmaps" if model.name == _NAMES["heatmaps"] else "peaks"


def training_form(model: keras.Model) -> keras.Model:
    """The same network, with the same variables, from people to logits: it draws its own inputs.

    Args:
        model: from `prn`.

    Returns:
        Model of {"candidates": (N, M, K, 3), "boxes": (N, 4)}, see `prn_inputs.locate`, to
        {"keypoint_logits": (N, K, height, width)} float32, and where the network has such a place
        {"none_logits": (N, K)}.
    """
    maps = model.get_layer("by_keypoint").output
    (num_keypoints, *size), kind = maps.shape[1:], input_kind(model)
    names = {layer.name for layer in model.layers} & {"keypoint_logits", _UNSEEN}
    network = keras.Model(maps, {name: model.get_layer(name).output for name in names}, name="net")

    def draw(people):
        return draw_people(**people, size=size, kind=kind, axis=1)

    people = {
        "candidates": keras.Input((None, num_keypoints, 3), dtype="float32", name="candidates"),
        "boxes": keras.Input((4,), dtype="float32", name="boxes"),
    }
    drawn = layers.Lambda(draw, output_shape=maps.shape[1:], dtype="float32", name="draw")(people)
    return keras.Model(people, network(drawn), name="prn_training")


def prn_loss(outputs: dict, targets: dict, softmax: str = "keypoint") -> dict:
    """Cross-entropy between the label maps and the softmax, per person.

    Args:
        outputs: of `training_form`.
        targets: "keypoints" (N, K, 3) and "boxes" (N, 4) of the people.
        softmax: as in `prn`.

    Returns:
        "maps": (N,) mean over the labelled keypoints; with a place for what is not to be seen, over
        all, since that is where unlabelled ones belong.
    """
    logits = outputs["keypoint_logits"]
    size = tuple(logits.shape[2:])
    cells, labelled = own_cells(targets["keypoints"], targets["boxes"], size)
    labels = draw_labels(cells, labelled, size, axis=1)
    return {"maps": cross_entropy(logits, labels, softmax, outputs.get(_UNSEEN))}


def cross_entropy(logits, labels, softmax: str = "keypoint", none_logits=None):
    """Mean over the labelled keypoints of the cross-entropy, per person.

    Args:
        logits: (N, K, h, w).
        labels: (N, K, h, w); each map sums to 1, or to 0 where there is no label.
        softmax: as in `prn`.
        none_logits: (N, K), of the place where keypoints without label belong; the mean is then
            over all keypoints.

    Returns:
        (N,).

    The paper says binary cross-entropy. Each map of a softmax sums to 1 over 2016 cells, so that
    the terms of the wrong cells, -log(1 - y), sum to about 1 whatever the network says; they are
    left out.
    """
    logits, labels = (ops.cast(x, "float32") for x in (logits, labels))
    mass = ops.sum(labels, axis=(2, 3))
    axes = (2, 3) if softmax == "keypoint" else (1, 2, 3)
    # The sum over cells of y log(softmax) without a second pass over the maps.
    fit = ops.sum(labels * logits, axis=(2, 3))
    entropy = ops.logsumexp(logits, axis=axes)
    if none_logits is not None:
        entropy = ops.logaddexp(entropy, none_logits)
        return ops.mean(entropy - fit - (1 - mass) * none_logits, axis=-1)
    if softmax == "global":
        entropy = entropy[:, None]
    loss = ops.sum(mass * entropy - fit, axis=-1)
    return loss / ops.maximum(ops.sum(mass, axis=-1), 1.0)


def _shares(logits, none_logits, softmax: str):
    """Softmax of (N, K, h, w) logits; of each keypoint's cells and (N, K) logits beside them."""
    if none_logits is None:
        axes = (2, 3) if softmax == "keypoint" else (1, 2, 3)
        return layers.Softmax(axis=axes, dtype="float32", name="keypoint_maps")(logits)
    shape = logits.shape[1:]
    cells = layers.Reshape((shape[0], -1), dtype="float32", name="flat_logits")(logits)
    beside = layers.Reshape((shape[0], 1), dtype="float32", name="beside")(none_logits)
    places = layers.Concatenate(dtype="float32", name="with_none")([cells, beside])
    shares = layers.Softmax(dtype="float32", name="shares")(places)[..., :-1]
    return layers.Reshape(shape, dtype="float32", name="keypoint_maps")(shares)


def _flat_places(x, rank: int | None):
    """(N, K, h, w) -> (N, features): all cells, or `rank` features for each keypoint."""
    num_keypoints, height, width = x.shape[1:]
    if rank is None:
        return layers.Reshape((num_keypoints * height * width,), name="flat")(x)
    x = layers.Reshape((num_keypoints, height * width), name="places")(x)
    x = layers.Dense(rank, name="encode")(x)
    return layers.Reshape((num_keypoints * rank,), name="flat")(x)


def _cells(x, shape: tuple[int, int, int], rank: int | None):
    """(N, nodes) -> (N, K, h, w), the reverse of `_flat_places`."""
    num_keypoints, height, width = shape
    if rank is None:
        x = layers.Dense(num_keypoints * height * width, name="readout")(x)
        return layers.Reshape(shape, name="cells")(x)
    x = layers.Dense(num_keypoints * rank, name="readout")(x)
    x = layers.Reshape((num_keypoints, rank), name="features")(x)
    # The bias, one number per cell and keypoint, is where the keypoint usually is.
    x = layers.EinsumDense(
        "nrf,fc->nrc", (num_keypoints, height * width), bias_axes="rc", name="decode"
    )(x)
    return layers.Reshape(shape, name="cells")(x)
