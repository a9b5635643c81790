"""MobileNetV2 in torchvision order, with the face of `posekit.resnet`."""

import keras
from keras import layers

from posekit.convolution import convolve, convolve_depthwise, normalize, stride_or_dilation
from posekit.normalization import ColourNormalization

# Table 2 of the paper, rows of inverted residuals: expansion, channels, blocks, stride.
ROWS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
LEVEL_AFTER_ROW = {1: "C2", 2: "C3", 4: "C4", 6: "C5"}
DILATED_LEVEL_AT_ROW = {3: 0, 5: 1}


def mobilenet_v2(
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    dilate: tuple[bool, bool] = (False, False),
    frozen_bn: bool = False,
    alpha: float = 1.0,
    last_conv: bool = False,
    name: str | None = None,
) -> keras.Model:
    """Builds a MobileNetV2 without its classifier.

    The layers bear torchvision's names with underscores for the dots ("features_2_conv_0_0").

    Args:
        input_shape: (height, width, 3) of the images; None where it may vary.
        dilate: whether C4 and C5 keep the stride of the level before and dilate instead.
        frozen_bn: batch normalisation always uses its stored statistics, and trains nothing.
        alpha: factor on all channels.
        last_conv: whether C5 is the 1280 channels that feed the classifier, not the 320 of the
            last inverted residual; a pyramid network reduces channels itself and needs only these.
        name: of the model; "mobilenet_v2" where None.

    Returns:
        Model from (B, H, W, 3) RGB pixel values 0 to 255, uint8 or float, to a dict of "C2", "C3",
        "C4", "C5" at strides 4, 8, 16, 32 (without dilation), with 24, 32, 96 and 320 channels for
        alpha 1.

    Raises:
        ValueError: for dilate (True, False).

    Reference: Sandler et al. 2018; symmetric padding as in torchvision, unlike
        `keras.applications`.
    """
    images = keras.Input(input_shape, dtype="float32", name="images")
    x = ColourNormalization(name="colours")(images)
    x = convolve(x, channels(32, alpha), 3, 2, name="features_0_0")
    x = _normalize_relu6(x, frozen_bn, name="features_0_1")
    outputs, dilation, number = {}, 1, 1
    for row, (expansion, width, count, stride) in enumerate(ROWS):
        replaced = row in DILATED_LEVEL_AT_ROW and dilate[DILATED_LEVEL_AT_ROW[row]]
        stride, first, dilation = stride_or_dilation(stride, replaced, dilation)
        for index in range(count):
            step = (stride, first) if index == 0 else (1, dilation)
            shape = (expansion, channels(width, alpha), *step)
            x = _inverted_residual(x, *shape, frozen_bn, name=f"features_{number}")
            number += 1
        if row in LEVEL_AFTER_ROW:
            outputs[LEVEL_AFTER_ROW[row]] = x
    if last_conv:
        x = convolve(x, channels(1280, max(1.0, alpha)), name="features_18_0")
        outputs["C5"] = _normalize_relu6(x, frozen_bn, name="features_18_1")
    return keras.Model(images, outputs, name=name or "mobilenet_v2")


def channels(count: int, alpha: float) -> int:
    """Returns count * alpha as the nearest multiple of 8, at least 8 and 90 % of the product."""
    rounded = max(8, int(count * alpha + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * count * alpha else rounded


def _inverted_residual(
    x, expansion: int, filters: int, stride: int, dilation: int, frozen: bool, *, name: str
):
    """1x1 up, 3x3 per channel, 1x1 down; (B, H, W, C) -> (B, H / stride, W / stride, filters)."""
    y, start = x, 0
    if expansion != 1:
        y = convolve(x, expansion * x.shape[-1], name=f"{name}_conv_0_0")
        y, start = _normalize_relu6(y, frozen, name=f"{name}_conv_0_1"), 1
    y = convolve_depthwise(y, 3, stride, dilation, name=f"{name}_conv_{start}_0")
    y = _normalize_relu6(y, frozen, name=f"{name}_conv_{start}_1")
    y = convolve(y, filters, name=f"{name}_conv_{start + 1}")
    y = normalize(y, frozen, name=f"{name}_conv_{start + 2}")
    if stride == 1 and x.shape[-1] == filters:
        y = layers.Add(name=f"{name}_add")([x, y])
    return y


def _normalize_relu6(x, frozen: bool, *, name: str):
    return layers.ReLU(6.0, name=f"{name}_relu6")(normalize(x, frozen, name=name))
