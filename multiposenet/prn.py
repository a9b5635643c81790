"""The Pose Residual Network (arXiv:1807.04067, section 3.4): which keypoints are this person's?"""

import keras
from keras import layers, ops

from multiposenet.prn_inputs import SIZE, InputKind, draw_labels, draw_people, own_cells

_NAMES = {"peaks": "prn", "heatmaps": "prn_of_heatmaps"}


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
            and 768 nodes 1.97 million, for K = 17.
        kind: of the inputs that it is made for, see `prn_inputs`; `input_kind` reads it again.

    Returns:
        Model of "inputs" (N, height, width, K) float32 to "logits" and "maps", both (N, height,
        width, K) float32. Maps sum to 1 over the cells ("keypoint") or in all ("global").

    Raises:
        ValueError: an unknown softmax, a count below 1.
    """
    if softmax not in ("keypoint", "global") or min(nodes, hidden_layers, rank or 1) < 1:
        raise ValueError(
            "expected softmax 'keypoint' or 'global' and nodes, hidden_layers and rank of at least "
            f"1, received {softmax!r}, {nodes}, {hidden_layers} and {rank}"
        )
    shape = (num_keypoints, *size)
    inputs = keras.Input((*size, num_keypoints), dtype="float32", name="inputs")
    # Keypoints first, so that all matrices and the softmax run over neighbours in memory.
    maps = layers.Permute((3, 1, 2), dtype="float32", name="by_keypoint")(inputs)
    x = _flat_places(maps, rank)
    for number in range(1, hidden_layers + 1):
        x = layers.Dense(nodes, activation="relu", name=f"hidden{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x) if dropout else x
    x = _cells(x, shape, rank)
    x = layers.ReLU(dtype="float32", name="relu")(x) if relu_residual else x
    if residual:
        x = layers.Add(dtype="float32", name="residual")([x, maps])
    x = layers.Activation("linear", dtype="float32", name="keypoint_logits")(x)
    logits = layers.Permute((2, 3, 1), dtype="float32", name="logits")(x)
    axes = (2, 3) if softmax == "keypoint" else (1, 2, 3)
    x = layers.Softmax(axis=axes, dtype="float32", name="keypoint_maps")(x)
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
        {"keypoint_logits": (N, K, height, width)} float32.
    """
    maps = model.get_layer("by_keypoint").output
    (num_keypoints, *size), kind = maps.shape[1:], input_kind(model)
    network = keras.Model(maps, model.get_layer("keypoint_logits").output, name="network")

    def draw(people):
        return draw_people(**people, size=size, kind=kind, axis=1)

    people = {
        "candidates": keras.Input((None, num_keypoints, 3), dtype="float32", name="candidates"),
        "boxes": keras.Input((4,), dtype="float32", name="boxes"),
    }
    drawn = layers.Lambda(draw, output_shape=maps.shape[1:], dtype="float32", name="draw")(people)
    return keras.Model(people, {"keypoint_logits": network(drawn)}, name="prn_training")


def prn_loss(outputs: dict, targets: dict, softmax: str = "keypoint") -> dict:
    """Cross-entropy between the label maps and the softmax, per person.

    Args:
        outputs: "keypoint_logits" (N, K, h, w), of `training_form`.
        targets: "keypoints" (N, K, 3) and "boxes" (N, 4) of the people.
        softmax: as in `prn`.

    Returns:
        "maps": (N,) mean over the labelled keypoints.
    """
    logits = outputs["keypoint_logits"]
    size = tuple(logits.shape[2:])
    cells, labelled = own_cells(targets["keypoints"], targets["boxes"], size)
    labels = draw_labels(cells, labelled, size, axis=1)
    return {"maps": cross_entropy(logits, labels, softmax)}


def cross_entropy(logits, labels, softmax: str = "keypoint"):
    """Mean over the labelled keypoints of the cross-entropy, per person.

    Args:
        logits: (N, K, h, w).
        labels: (N, K, h, w); each map sums to 1, or to 0 where there is no label.
        softmax: as in `prn`.

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
    if softmax == "global":
        entropy = entropy[:, None]
    loss = ops.sum(mass * entropy - fit, axis=-1)
    return loss / ops.maximum(ops.sum(mass, axis=-1), 1.0)


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
