"""ResNet-18 to ResNet-152 in torchvision order: stride in the 3x3, no convolution bias."""

import keras
from keras import layers

from posekit.convolution import convolve, normalize, pad_symmetric, stride_or_dilation
from posekit.normalization import ColourNormalization

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def resnet(
    depth: int,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    dilate: tuple[bool, bool] = (False, False),
    frozen_bn: bool = False,
    width: int = 64,
    name: str | None = None,
) -> keras.Model:
    """Builds a ResNet without its classifier.

    The layers bear torchvision's names with underscores for the dots, which Keras cannot have on
    its torch backend ("layer1_0_conv1"), so that `posekit.weights.torchvision` can fill them.

    Args:
        depth: 18, 34 (two 3x3 per block), 50, 101 or 152 (bottlenecks).
        input_shape: (height, width, 3) of the images; None where it may vary.
        dilate: whether C4 and C5 keep the stride of the level before and dilate instead, as
            torchvision's replace_stride_with_dilation; (False, True) ends at stride 16.
        frozen_bn: batch normalisation always uses its stored statistics, and trains nothing.
        width: channels of the stem; 64 is the published network, less is for tests and demos.
        name: of the model; "resnet50" and alike where None.

    Returns:
        Model from (B, H, W, 3) RGB pixel values 0 to 255, uint8 or float, to a dict of "C2", "C3",
        "C4", "C5" at strides 4, 8, 16, 32 (without dilation), (B, ceil(H / stride),
        ceil(W / stride), C) in the compute dtype, with C = 256, 512, 1024, 2048 for bottlenecks
        and 64, 128, 256, 512 for depth 18 and 34.

    Raises:
        ValueError: for another depth, or dilate (True, False).

    Reference: He et al. 2016, with the stride in the 3x3 as torchvision has it ("v1.5").
    """
    if depth not in BLOCKS:
        raise ValueError(f"expected depth to be one of {sorted(BLOCKS)}, received {depth}")
    block = _bottleneck if depth >= 50 else _basic
    images = keras.Input(input_shape, dtype="float32", name="images")
    x = _stem(ColourNormalization(name="colours")(images), width, frozen_bn)
    outputs, dilation = {}, 1
    for stage, count in enumerate(BLOCKS[depth]):
        replaced = stage >= 2 and dilate[stage - 2]
        stride, first, dilation = stride_or_dilation(2 if stage else 1, replaced, dilation)
        for index in range(count):
            step = (stride, first) if index == 0 else (1, dilation)
            x = block(x, width * 2**stage, *step, frozen_bn, name=f"layer{stage + 1}_{index}")
        outputs[f"C{stage + 2}"] = x
    return keras.Model(images, outputs, name=name or f"resnet{depth}")


def _stem(x, width: int, frozen: bool):
    """(B, H, W, 3) -> (B, H / 4, W / 4, width): 7x7 and pooling, each of stride 2."""
    x = convolve(x, width, 7, 2, name="conv1")
    x = layers.ReLU(name="relu")(normalize(x, frozen, name="bn1"))
    # After a ReLU a border of zeros pools like torch's border of minus infinity.
    x = pad_symmetric(x, 2, 3, name="maxpool_pad")
    return layers.MaxPooling2D(3, 2, name="maxpool")(x)


def _basic(x, filters: int, stride: int, dilation: int, frozen: bool, *, name: str):
    """Two 3x3; (B, H, W, C) -> (B, H / stride, W / stride, filters)."""
    y = convolve(x, filters, 3, stride, dilation, name=f"{name}_conv1")
    y = layers.ReLU(name=f"{name}_relu1")(normalize(y, frozen, name=f"{name}_bn1"))
    y = convolve(y, filters, 3, 1, dilation, name=f"{name}_conv2")
    y = normalize(y, frozen, name=f"{name}_bn2")
    return _add(x, y, stride, frozen, name=name)


def _bottleneck(x, filters: int, stride: int, dilation: int, frozen: bool, *, name: str):
    """1x1, 3x3, 1x1; (B, H, W, C) -> (B, H / stride, W / stride, 4 * filters)."""
    y = convolve(x, filters, name=f"{name}_conv1")
    y = layers.ReLU(name=f"{name}_relu1")(normalize(y, frozen, name=f"{name}_bn1"))
    y = convolve(y, filters, 3, stride, dilation, name=f"{name}_conv2")
    y = layers.ReLU(name=f"{name}_relu2")(normalize(y, frozen, name=f"{name}_bn2"))
    y = convolve(y, 4 * filters, name=f"{name}_conv3")
    y = normalize(y, frozen, name=f"{name}_bn3")
    return _add(x, y, stride, frozen, name=name)


def _add(x, y, stride: int, frozen: bool, *, name: str):
    """Adds the block's input x to its result y, projected by a 1x1 where shapes differ."""
    if stride != 1 or x.shape[-1] != y.shape[-1]:
        x = convolve(x, y.shape[-1], 1, stride, name=f"{name}_downsample_0")
        x = normalize(x, frozen, name=f"{name}_downsample_1")
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
