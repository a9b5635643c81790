"""Keypoint and person-segmentation subnet of MultiPoseNet (arXiv:1807.04067, section 3.2)."""

import keras
from keras import layers

from multiposenet.fpn import LEVELS, fpn, upsample

STRIDE = 4
"""Image pixels per heatmap cell of every output."""


def keypoint_subnet(
    pyramid: dict[str, keras.KerasTensor],
    num_keypoints: int,
    strides: tuple[int, ...] = (4, 8, 16, 32),
    depth: int = 128,
    concat: bool = True,
    intermediate: bool = True,
) -> dict[str, keras.KerasTensor]:
    """Predicts K heatmaps and the person mask at stride 4 from the pyramid K2-K5.

    Two 3x3 convolutions bring each level to D2-D5 (`depth` channels), which are enlarged to stride
    4, concatenated, smoothed by a 3x3 convolution with ReLU and read out linearly by a 1x1
    convolution.

    Args:
        pyramid: "K2".."K5", each (B, h, w, C), at `strides`.
        num_keypoints: K.
        strides: image pixels per cell of K2..K5.
        depth: channels of D2-D5; the smoothing convolution has twice as many.
        concat: False reads D2 alone (row "no concat" of Table 2; the paper does not say what takes
            the place of the concatenation, and D2 is the level that holds the whole pathway).
        intermediate: adds a linear 1x1 prediction at each K level, enlarged to stride 4, for the
            intermediate supervision (row "no int." leaves them out).

    Returns:
        heatmaps: (B, h, w, K), linear, targets in [0, 1].
        mask: (B, h, w, 1), linear, target 1 on people.
        K2, K3, K4, K5: (B, h, w, K + 1), only with `intermediate`; the last channel is the mask.

    The paper is silent on activations inside D; here each of its convolutions has a ReLU.
    """
    maps = []
    for level, stride in zip(LEVELS, strides, strict=True):
        x = pyramid[f"K{level}"]
        for i in (1, 2):
            conv = layers.Conv2D(
                depth, 3, padding="same", activation="relu", name=f"D{level}_conv{i}"
            )
            x = conv(x)
        maps.append(upsample(x, stride // STRIDE, name=f"D{level}_up"))
    x = layers.Concatenate(name="D_concat")(maps) if concat else maps[0]
    x = layers.Conv2D(2 * depth, 3, padding="same", activation="relu", name="D_smooth")(x)
    outputs = split_maps(_readout(num_keypoints, "maps")(x), num_keypoints)
    if intermediate:
        outputs |= _intermediate(pyramid, num_keypoints, strides)
    return outputs


def split_maps(maps: keras.KerasTensor, num_keypoints: int) -> dict[str, keras.KerasTensor]:
    """Splits (B, h, w, K + 1) maps into "heatmaps" (B, h, w, K) and "mask" (B, h, w, 1)."""
    return {"heatmaps": maps[..., :num_keypoints], "mask": maps[..., num_keypoints:]}


def _readout(num_keypoints: int, name: str) -> layers.Layer:
    # float32 also under mixed precision: the loss and the peaks are computed from these values.
    # The small start keeps the first losses near those of empty maps.
    small = keras.initializers.RandomNormal(stddev=0.001)
    return layers.Conv2D(num_keypoints + 1, 1, kernel_initializer=small, dtype="float32", name=name)


def _intermediate(pyramid, num_keypoints, strides) -> dict[str, keras.KerasTensor]:
    return {
        f"K{level}": upsample(
            _readout(num_keypoints, f"K{level}_maps")(pyramid[f"K{level}"]),
            stride // STRIDE,
            name=f"K{level}_up",
            dtype="float32",
        )
        for level, stride in zip(LEVELS, strides, strict=True)
    }


def keypoint_model(
    backbone: keras.Model,
    num_keypoints: int,
    strides: tuple[int, ...] = (4, 8, 16, 32),
    fpn_depth: int = 256,
    depth: int = 128,
    concat: bool = True,
    intermediate: bool = True,
) -> tuple[keras.Model, keras.Model]:
    """Joins backbone, pyramid and keypoint subnet.

    Args:
        backbone: image (B, H, W, 3), RGB in 0..255, to "C2".."C5"; H and W multiples of 32.
        num_keypoints: K.
        strides: image pixels per cell of C2..C5.
        fpn_depth: channels of K2-K5.
        depth: channels of D2-D5.
        concat: see `keypoint_subnet`.
        intermediate: see `keypoint_subnet`.

    Returns:
        The model to train (all outputs of `keypoint_subnet`) and the model to use ("heatmaps" and
        "mask" only); both share every layer.
    """
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    pyramid = fpn(backbone(image), strides, fpn_depth, prefix="K")
    outputs = keypoint_subnet(pyramid, num_keypoints, strides, depth, concat, intermediate)
    used = {name: outputs[name] for name in ("heatmaps", "mask")}
    return (
        keras.Model(image, outputs, name="keypoint_training"),
        keras.Model(image, used, name="keypoint_subnet"),
    )
