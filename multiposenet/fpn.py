"""Feature pyramid network (Lin et al. 2017) on the levels C2-C5 of a backbone."""

import keras
from keras import layers

LEVELS = (2, 3, 4, 5)


def upsample(x, factor: int, name: str | None = None, dtype=None) -> keras.KerasTensor:
    """Enlarges (B, h, w, C) by a whole factor, nearest neighbour; factor 1 returns `x` itself."""
    if factor == 1:
        return x
    return layers.UpSampling2D(factor, interpolation="nearest", name=name, dtype=dtype)(x)


def fpn(
    features: dict[str, keras.KerasTensor],
    strides: tuple[int, ...] = (4, 8, 16, 32),
    depth: int = 256,
    prefix: str = "K",
) -> dict[str, keras.KerasTensor]:
    """Builds the top-down pathway: one map of `depth` channels at the stride of each level.

    Args:
        features: "C2".."C5" of the backbone, each (B, h, w, C).
        strides: image pixels per cell of C2..C5; a dilated backbone repeats a stride
            ((4, 8, 16, 16)), and the pathway then adds without enlarging there.
        depth: channels of every output.
        prefix: letter of the outputs: "K" in the keypoint subnet, "P" in the detector.

    Returns:
        "K2".."K5" (or "P2".."P5"), each (B, h, w, depth) at the strides given.

    Reference: MultiPoseNet section 3.1; 3x3 smoothing on the three merged levels, not on the top
    one (2.75 M parameters on a ResNet-50).
    """
    top = None
    outputs = {}
    for i in reversed(range(len(LEVELS))):
        level = LEVELS[i]
        merged = layers.Conv2D(depth, 1, name=f"{prefix}{level}_lateral")(features[f"C{level}"])
        if top is None:
            outputs[f"{prefix}{level}"] = top = merged
            continue
        above = upsample(top, strides[i + 1] // strides[i], name=f"{prefix}{level}_topdown")
        top = layers.Add(name=f"{prefix}{level}_merged")([merged, above])
        smooth = layers.Conv2D(depth, 3, padding="same", name=f"{prefix}{level}_smooth")
        outputs[f"{prefix}{level}"] = smooth(top)
    return dict(sorted(outputs.items()))
