"""VGG-16 as SSD reads it: convolutions to conv5_3, and the fully connected layers as such too."""

import keras
from keras import layers

from posekit.normalization import ColourNormalization

FEATURES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""Numbers of the 3x3 convolutions of the five stages in torchvision's `features`."""
WIDTH = 64
"""Channels of the first stage of the published network."""


def vgg16(
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    width: int = WIDTH,
    name: str = "vgg16",
) -> keras.Model:
    """Builds the trunk of SSD.

    conv1_1 to conv5_3 are those of VGG-16. Pooling 5 is a 3x3 of stride 1; conv6, a 3x3 of dilation
    6, and conv7, a 1x1, stand for the fully connected layers fc6 and fc7. Poolings of an odd side
    round up. The layers bear torchvision's names ("features_0", ... and "conv6", "conv7");
    `posekit.weights.vgg.load_vgg16` fills them.

    Args:
        input_shape: (height, width, 3) of the images; None where it may vary.
        width: channels of the first stage; 64 is the published network, less is for tests and
            demos.
        name: of the model.

    Returns:
        Model from (B, H, W, 3) RGB pixel values 0 to 255, uint8 or float, to a dict of "conv4_3"
        at stride 8, (B, h, w, 8 * width), and "conv7" at stride 16, (B, h, w, 16 * width), both
        behind their ReLU.

    Reference: Simonyan and Zisserman 2015, configuration D; Liu et al. 2016 (SSD), section 3.
    """
    images = keras.Input(input_shape, dtype="float32", name="images")
    x, outputs = ColourNormalization(name="colours")(images), {}
    for stage, numbers in enumerate(FEATURES):
        for number in numbers:
            x = _convolve(x, width * 2 ** min(stage, 3), 3, name=f"features_{number}")
        if stage == 3:
            outputs["conv4_3"] = x
        pool = (3, 1) if stage == 4 else (2, 2)
        x = layers.MaxPooling2D(*pool, padding="same", name=f"pool{stage + 1}")(x)
    x = _convolve(x, 16 * width, 3, dilation=6, name="conv6")
    outputs["conv7"] = _convolve(x, 16 * width, 1, name="conv7")
    return keras.Model(images, outputs, name=name)


def _convolve(x, filters: int, kernel: int, dilation: int = 1, *, name: str):
    return layers.Conv2D(
        filters,
        kernel,
        padding="same",
        dilation_rate=dilation,
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)
