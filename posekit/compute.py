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
    counts = {op.name: _macs(op) for op in _operations(model, size)}
    return {name: macs for name, macs in counts.items() if macs}


def published_gflops(model, size: tuple[int, int]) -> float:
    """Counts as the "GFLOPs" published of Simple Baselines do, to stand beside `count_macs`.

    There one multiply-accumulate is one FLOP, transposed convolutions are counted at their output's
    resolution (four times what they compute at stride 2), and a giga is 2**30.

    Args:
        model: as in `count_macs`.
        size: image (height, width), pixels.

    Returns:
        For ResNet-50, 101 and 152 at 256x192 8.99, 12.38 and 15.76, where 8.9, 12.4 and 15.7 are
        published; at 384x288 20.2, 27.9 and 35.5, where 20.0, 27.9 and 35.3 are.
    """
    counts = (_macs(op) * _cells_out(op) for op in _operations(model, size))
    return sum(counts) / 2**30


def _operations(model, size: tuple[int, int]) -> list:
    import tensorflow as tf

    image = tf.TensorSpec((1, *size, 3), tf.uint8)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(image).graph
    return graph.get_operations()


def _cells_out(op) -> int:
    """Cells that a transposed convolution writes for each that it reads; 1 for others."""
    return math.prod(op.get_attr("strides")) if op.type == "Conv2DBackpropInput" else 1


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
