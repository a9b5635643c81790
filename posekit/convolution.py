"""Convolution and batch normalisation as torchvision computes them, for the backbones."""

import keras
from keras import layers

# std = sqrt(2 / fan out), He et al. 2015, as torchvision starts its convolutions.
_HE_FAN_OUT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"},
}


def pad_symmetric(x, stride: int, kernel: int, dilation: int = 1, *, name: str):
    """Pads rows and columns by the same number of zeros on both sides.

    "same" in Keras puts the odd row at the bottom where the stride is 2, half a pixel away from
    where torchvision's checkpoints were trained.

    Args:
        x: (B, H, W, C).
        stride: of what follows; with 1 there is nothing to correct, x comes back.
        kernel: odd side of the kernel that follows.
        dilation: its dilation.
        name: of the layer.

    Returns:
        (B, H + 2p, W + 2p, C) with p = dilation * (kernel - 1) / 2, or x.
    """
    margin = dilation * (kernel - 1) // 2
    if stride == 1 or margin == 0:
        return x
    return layers.ZeroPadding2D(margin, name=name)(x)


def convolve(
    x, filters: int, kernel: int = 1, stride: int = 1, dilation: int = 1, *, name: str
) -> keras.KerasTensor:
    """Convolves without bias, padded symmetrically by dilation * (kernel - 1) / 2.

    Args:
        x: (B, H, W, C).
        filters: output channels F.
        kernel: odd side of the kernel.
        stride: rows and columns per output cell.
        dilation: distance between kernel cells; 1 where stride is above 1.
        name: of the layer.

    Returns:
        (B, ceil(H / stride), ceil(W / stride), F)
    """
    x = pad_symmetric(x, stride, kernel, dilation, name=f"{name}_pad")
    return layers.Conv2D(
        filters,
        kernel,
        stride,
        padding="same" if stride == 1 else "valid",
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer=_HE_FAN_OUT,
        name=name,
    )(x)


def convolve_depthwise(
    x, kernel: int = 3, stride: int = 1, dilation: int = 1, *, name: str
) -> keras.KerasTensor:
    """Convolves every channel for itself; arguments and result as in `convolve` with F = C."""
    x = pad_symmetric(x, stride, kernel, dilation, name=f"{name}_pad")
    return layers.DepthwiseConv2D(
        kernel,
        stride,
        padding="same" if stride == 1 else "valid",
        dilation_rate=dilation,
        use_bias=False,
        depthwise_initializer=_HE_FAN_OUT,
        name=name,
    )(x)


def normalize(x, frozen: bool, *, name: str) -> keras.KerasTensor:
    """Batch-normalises with torchvision's epsilon and momentum (0.9 in Keras is 0.1 there).

    Args:
        x: (B, H, W, C).
        frozen: always uses the stored statistics, and trains neither gamma nor beta.
        name: of the layer.

    Returns:
        (B, H, W, C)
    """
    batch_norm = layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, trainable=not frozen, name=name
    )
    return batch_norm(x)


def stride_or_dilation(stride: int, dilate: bool, dilation: int) -> tuple[int, int, int]:
    """Replaces the stride of a stage by dilation, as torchvision's replace_stride_with_dilation.

    Args:
        stride: the stage's stride without dilation.
        dilate: whether to replace it.
        dilation: the dilation of the stage before.

    Returns:
        stride: of the stage's first block.
        first: dilation of the first block.
        rest: dilation of its other blocks, and of the first block of the next stage.

    Raises:
        ValueError: for a stride after dilation, which no published network has and Keras cannot do.
    """
    if dilation > 1 and stride > 1 and not dilate:
        raise ValueError(
            "expected dilate to be (False, False), (False, True) or (True, True), "
            "received (True, False); dilate C5 as well"
        )
    return (1, dilation, dilation * stride) if dilate else (stride, dilation, dilation)
