"""Multiply-accumulates of a network, counted from its graph."""

import math


def count_macs(model, size: tuple[int, int]) -> dict[str, int]:
    """Counts the multiply-accumulates of one image, layer by layer.

    Convolutions, depthwise and transposed convolutions and matrix products are counted at what they
    truly compute; additions, normalisation and activations are left out. One MAC is two FLOP.

    Args:
        model: keras.Model of one uint8 image input (B, H, W, 3).
        size: image (height, width), pixels.

    Returns:
        Name of the graph operation (which holds the layer's name) -> MACs; their sum is the
        network's.
    """
    import tensorflow as tf

    image = tf.TensorSpec((1, *size, 3), tf.uint8)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(image).graph
    counts = {op.name: _macs(op) for op in graph.get_operations()}
    return {name: macs for name, macs in counts.items() if macs}


def _macs(op) -> int:
    if op.type == "MatMul":
        inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
        return math.prod(op.outputs[0].shape) * inner
    if op.type == "Conv2D":  # kernel (height, width, input channels of a group, output channels)
        return math.prod(op.outputs[0].shape) * math.prod(op.inputs[1].shape[:3])
    if op.type == "DepthwiseConv2dNative":
        return math.prod(op.outputs[0].shape) * math.prod(op.inputs[1].shape[:2])
    if op.type == "Conv2DBackpropInput":  # transposed; kernel (height, width, output, input)
        return math.prod(op.inputs[2].shape) * math.prod(op.inputs[1].shape[:3])
    return 0
