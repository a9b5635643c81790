"""SSD300 and SSD512 for people: VGG-16, extra blocks, and 3x3 heads on six or seven maps."""

import keras
from keras import layers

from posekit.vgg import WIDTH, vgg16
from topdown.default_boxes import BLOCKS, boxes_per_cell, make_default_boxes
from topdown.ssd_settings import SsdReading, SsdSettings

CLASSES = 2
"""Background and person."""
FIRST_SCALE = 20.0
"""Length that conv4_3's features have at the start of training."""


def ssd(settings: SsdSettings | None = None, width: int = WIDTH) -> keras.Model:
    """Builds the person detector.

    Args:
        settings: input size and default boxes; kept in the model. SSD300 by default.
        width: channels of VGG's first stage; 64 is the published network, less is for demos.

    Returns:
        Model from (B, size, size, 3) uint8 RGB to a dict of class_logits (B, A, 2) float32, of
        background and person, and box_deltas (B, A, 4) float32, in the order of
        `default_boxes.make_default_boxes`. Its layer "vgg16" is the trunk.

    Raises:
        ValueError: a size that no SSD has.

    Reference: Liu et al. 2016 (SSD), sections 2.1 and 3; SSD512 as footnote 2 of section 3.3.
    What VGG does not bring starts from a Gaussian (scut_samsung, section 2.1; 0.01 for the heads,
    He's for the extra blocks, whose ten layers would fade from 0.01).
    """
    settings = settings or SsdSettings()
    make_default_boxes(settings.size, settings.scales)  # refuses what no SSD has
    shape = (settings.size, settings.size, 3)
    images = keras.Input(shape, dtype="uint8", name="images")
    trunk = vgg16(shape, width)
    features = trunk(SsdReading(settings, name="reading")(images))
    maps = [_rescale(features["conv4_3"]), features["conv7"]]
    # Published: 256 and 512 channels, then 128 and 256 (VGG's first stage has 64).
    for number, step in enumerate(BLOCKS[settings.size]):
        middle = width * (4 if number == 0 else 2)
        maps.append(_extra(maps[-1], middle, step, name=f"conv{number + 8}"))
    counts = boxes_per_cell(settings.size)
    outputs = {
        "class_logits": _heads(maps, counts, CLASSES, name="class_logits"),
        "box_deltas": _heads(maps, counts, 4, name="box_deltas"),
    }
    return keras.Model(images, outputs, name=f"ssd{settings.size}")


def _rescale(x):
    """Gives each cell's features length 1, then each channel a learned factor.

    Reference: Liu et al. 2016 (ParseNet). A depthwise 1x1 is such a factor.
    """
    x = layers.UnitNormalization(axis=-1, name="conv4_3_length")(x)
    start = keras.initializers.Constant(FIRST_SCALE)
    scale = layers.DepthwiseConv2D(
        1, use_bias=False, depthwise_initializer=start, name="conv4_3_scale"
    )
    return scale(x)


def _extra(x, middle: int, step: str, *, name: str):
    """1x1 to `middle` channels, then 3x3 (4x4 to close) to twice as many."""
    x = _convolve(x, middle, 1, name=f"{name}_1")
    if step == "shrink":
        return _convolve(x, 2 * middle, 3, name=f"{name}_2")
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    kernel, stride = (3, 2) if step == "halve" else (4, 1)
    return _convolve(x, 2 * middle, kernel, stride, name=f"{name}_2")


def _convolve(x, filters: int, kernel: int, stride: int = 1, *, name: str):
    return layers.Conv2D(
        filters,
        kernel,
        stride,
        activation="relu",
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal"),
        name=name,
    )(x)


def _heads(maps: list, counts: tuple[int, ...], columns: int, *, name: str):
    """A 3x3 on each map; (B, A, columns)."""
    rows = []
    for number, (x, count) in enumerate(zip(maps, counts, strict=True)):
        head = layers.Conv2D(
            count * columns,
            3,
            padding="same",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name=f"{name}_head_{number}",
        )
        rows.append(layers.Reshape((-1, columns), name=f"{name}_{number}")(head(x)))
    return layers.Concatenate(axis=1, dtype="float32", name=name)(rows)
