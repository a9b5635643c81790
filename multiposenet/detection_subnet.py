"""Person detection subnet of MultiPoseNet: RetinaNet on a frozen backbone (section 3.3)."""

import math

import keras
from keras import layers

from multiposenet.anchors import NUM_SHAPES
from multiposenet.fpn import upsample
from posekit.convolution import pad_symmetric

LEVELS = ("P3", "P4", "P5", "P6", "P7")
PRIOR = 0.01
"""Probability of a person that an untrained network gives to every anchor."""


def detection_fpn(
    features: dict[str, keras.KerasTensor], depth: int = 256
) -> dict[str, keras.KerasTensor]:
    """Builds the pyramid of RetinaNet.

    Args:
        features: "C3".."C5" of the backbone, each (B, h, w, C), at strides 8, 16, 32.
        depth: channels of every output.

    Returns:
        "P3".."P7", each (B, h, w, depth), at strides 8 to 128; odd sides of P5 and P6 round up.

    Reference: Lin et al. 2017 (RetinaNet), section 4: P3-P5 top-down with 3x3 smoothing on all
    three, P6 a 3x3 of stride 2 on C5, P7 another on ReLU(P6); 8.0 M parameters on a ResNet-50.
    """
    outputs, top = {}, None
    for level in (5, 4, 3):
        merged = layers.Conv2D(depth, 1, name=f"P{level}_lateral")(features[f"C{level}"])
        if top is not None:
            above = upsample(top, 2, name=f"P{level}_topdown")
            merged = layers.Add(name=f"P{level}_merged")([merged, above])
        top = merged
        outputs[f"P{level}"] = layers.Conv2D(depth, 3, padding="same", name=f"P{level}")(top)
    outputs["P6"] = _halve(features["C5"], depth, name="P6")
    outputs["P7"] = _halve(layers.ReLU(name="P6_relu")(outputs["P6"]), depth, name="P7")
    return dict(sorted(outputs.items()))


def detection_heads(
    pyramid: dict[str, keras.KerasTensor], depth: int = 256
) -> dict[str, keras.KerasTensor]:
    """Predicts class and box of every anchor; the layers are the same ones on all levels.

    Args:
        pyramid: "P3".."P7", each (B, h, w, C).
        depth: channels of the four 3x3 convolutions (with ReLU) of each of the two heads.

    Returns:
        class_logits: (B, A, 1) float32, of "person", in the order of `anchors.make_anchors`.
        box_deltas: (B, A, 4) float32, divided by `anchors.DELTA_SCALE`.
    """
    bias = keras.initializers.Constant(-math.log((1 - PRIOR) / PRIOR))
    heads = {
        "class_logits": (*_tower("class", depth), _readout("class", NUM_SHAPES, bias)),
        "box_deltas": (*_tower("box", depth), _readout("box", 4 * NUM_SHAPES, "zeros")),
    }
    outputs = {}
    for name, head in heads.items():
        columns = head[-1].filters // NUM_SHAPES
        maps = []
        for level in LEVELS:
            x = pyramid[level]
            for layer in head:
                x = layer(x)
            maps.append(layers.Reshape((-1, columns), name=f"{name}_{level}")(x))
        outputs[name] = layers.Concatenate(axis=1, dtype="float32", name=name)(maps)
    return outputs


def detection_model(backbone: keras.Model, fpn_depth: int = 256, depth: int = 256) -> keras.Model:
    """Joins a backbone, which it freezes, with pyramid and heads.

    Args:
        backbone: image (B, H, W, 3), RGB in 0..255, to "C2".."C5"; H and W multiples of 32. Its
            `trainable` is set to False: neither weights nor batch statistics change any more.
        fpn_depth: channels of P3-P7.
        depth: channels of the heads.

    Returns:
        Model from "image" to "class_logits" and "box_deltas" (see `detection_heads`).

    A backbone with dilated stages gives C4 and C5 at a smaller stride than 16 and 32; the detector
    then reads every second (fourth) cell, so that levels and anchors stay the same.
    """
    backbone.trainable = False
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    features, shapes = backbone(image), backbone.compute_output_shape((1, 128, 128, 3))
    read = {}
    for level, stride in (("C3", 8), ("C4", 16), ("C5", 32)):
        step = stride * shapes[level][1] // 128
        # A pooling of one cell leaves cells out.
        skip = layers.MaxPooling2D(1, step, name=f"{level}_every_{step}")
        read[level] = features[level] if step == 1 else skip(features[level])
    outputs = detection_heads(detection_fpn(read, fpn_depth), depth)
    return keras.Model(image, outputs, name="detection_subnet")


def backbone_of(model: keras.Model) -> keras.Model:
    """Finds the backbone within a trained model.

    Args:
        model: with a backbone as one of its layers, as `keypoint_subnet.keypoint_model` builds it,
            or further inside, as in a joined model; or a backbone itself.

    Raises:
        ValueError: there is none.
    """
    parts = [model]
    for part in parts:
        parts += getattr(part, "layers", [])
        outputs = getattr(part, "output", None)
        if isinstance(outputs, dict) and {"C3", "C4", "C5"} <= set(outputs):
            return part
    raise ValueError(
        "expected a model with a backbone that gives C3, C4 and C5, received one with the layers "
        f"{[layer.name for layer in model.layers][:8]}; give best.keras of a keypoint run"
    )


def _tower(name: str, depth: int) -> list[layers.Layer]:
    start = keras.initializers.RandomNormal(stddev=0.01)
    return [
        layers.Conv2D(
            depth,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=start.clone(),
            name=f"{name}_conv{i}",
        )
        for i in (1, 2, 3, 4)
    ]


def _readout(name: str, filters: int, bias) -> layers.Layer:
    # float32 also under mixed precision: the loss and the boxes are computed from these values.
    start = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Conv2D(
        filters,
        3,
        padding="same",
        kernel_initializer=start,
        bias_initializer=bias,
        dtype="float32",
        name=f"{name}_readout",
    )


def _halve(x: keras.KerasTensor, depth: int, name: str) -> keras.KerasTensor:
    """A 3x3 convolution of stride 2: (B, h, w, C) -> (B, ceil(h / 2), ceil(w / 2), depth)."""
    x = pad_symmetric(x, 2, 3, name=f"{name}_pad")
    return layers.Conv2D(depth, 3, 2, name=name)(x)
