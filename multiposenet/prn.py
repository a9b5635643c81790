"""The Pose Residual Network (arXiv:1807.04067, section 3.4): which keypoints are this person's?"""

import keras
from keras import layers, ops

from multiposenet.prn_inputs import SIZE


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
    shape = (*size, num_keypoints)
    inputs = keras.Input(shape, dtype="float32", name="inputs")
    x = _flat_places(inputs, rank)
    for number in range(1, hidden_layers + 1):
        x = layers.Dense(nodes, activation="relu", name=f"hidden{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x) if dropout else x
    x = _cells(x, shape, rank)
    x = layers.ReLU(dtype="float32", name="relu")(x) if relu_residual else x
    if residual:
        x = layers.Add(dtype="float32", name="residual")([x, inputs])
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    axes = (1, 2) if softmax == "keypoint" else (1, 2, 3)
    maps = layers.Softmax(axis=axes, dtype="float32", name="maps")(logits)
    return keras.Model(inputs, {"logits": logits, "maps": maps}, name="prn")


def prn_loss(outputs: dict, targets: dict, softmax: str = "keypoint") -> dict:
    """Cross-entropy between the label maps and the softmax, per person.

    Args:
        outputs: "logits" (N, h, w, K).
        targets: "maps" (N, h, w, K); each map sums to 1, or to 0 where there is no label.
        softmax: as in `prn`.

    Returns:
        "maps": (N,) mean over the labelled keypoints.

    The paper says binary cross-entropy. Each map of a softmax sums to 1 over 2016 cells, so that
    the terms of the wrong cells, -log(1 - y), sum to about 1 whatever the network says; they are
    left out.
    """
    labels = ops.cast(targets["maps"], "float32")
    logits = ops.cast(outputs["logits"], "float32")
    mass = ops.sum(labels, axis=(1, 2))
    axes = (1, 2) if softmax == "keypoint" else (1, 2, 3)
    # The sum over cells of y log(softmax) without a second pass over the maps.
    fit = ops.sum(labels * logits, axis=(1, 2))
    entropy = ops.logsumexp(logits, axis=axes)
    if softmax == "global":
        entropy = entropy[:, None]
    loss = ops.sum(mass * entropy - fit, axis=-1)
    return {"maps": loss / ops.maximum(ops.sum(mass, axis=-1), 1.0)}


def _flat_places(x, rank: int | None):
    """(N, h, w, K) -> (N, features): all cells, or `rank` features for each keypoint."""
    height, width, num_keypoints = x.shape[1:]
    if rank is None:
        return layers.Reshape((height * width * num_keypoints,), name="flat")(x)
    x = layers.Reshape((height * width, num_keypoints), name="places")(x)
    x = layers.EinsumDense("ncr,cf->nrf", (num_keypoints, rank), bias_axes="f", name="encode")(x)
    return layers.Reshape((num_keypoints * rank,), name="flat")(x)


def _cells(x, shape: tuple[int, int, int], rank: int | None):
    """(N, nodes) -> (N, h, w, K), the reverse of `_flat_places`."""
    height, width, num_keypoints = shape
    if rank is None:
        x = layers.Dense(height * width * num_keypoints, name="readout")(x)
        return layers.Reshape(shape, name="cells")(x)
    x = layers.Dense(num_keypoints * rank, name="readout")(x)
    x = layers.Reshape((num_keypoints, rank), name="features")(x)
    # The bias, one number per cell and keypoint, is where the keypoint usually is.
    x = layers.EinsumDense(
        "nrf,cf->ncr", (height * width, num_keypoints), bias_axes="cr", name="decode"
    )(x)
    return layers.Reshape(shape, name="cells")(x)
