"""Stacked hourglass network: heatmaps refined from stack to stack."""

import keras
from keras import layers

from posekit.convolution import convolve, normalize
from posekit.normalization import ColourNormalization

STRIDE = 4
"""Image pixels per heatmap cell."""


def hourglass(
    num_keypoints: int,
    stacks: int = 2,
    depth: int = 4,
    filters: int = 256,
    input_shape: tuple[int | None, int | None, int] = (256, 256, 3),
) -> keras.Model:
    """Builds stacked hourglasses that each predict heatmaps.

    Args:
        num_keypoints: K.
        stacks: hourglasses one after the other.
        depth: times that each halves its input, before it doubles it as often.
        filters: channels at every level; a multiple of 4, the published 256.
        input_shape: (height, width, 3) of the images, multiples of 4 * 2**depth pixels; None where
            it may vary.

    Returns:
        Model from (B, H, W, 3) RGB pixel values 0 to 255 to a dict of heatmaps, each (B, H / 4,
        W / 4, K) float32: "heatmaps" of the last stack, and "stack_0", "stack_1", ... of those
        before it, which training supervises as well.

    Raises:
        ValueError: less than one stack or level, or a height or width that cannot be halved so
            often.

    Reference: Newell et al. 2016, section 3. One residual follows each hourglass: the paper does
        not say so, but without it 8 stacks of 16 keypoints had 23.7 M parameters in place of the
        25.4 M here, and 25.1 M and 25.6 M are what others state of that network.
    """
    _check(stacks, depth, filters, input_shape)
    images = keras.Input(input_shape, dtype="float32", name="images")
    x = _stem(ColourNormalization(name="colours")(images), filters)
    outputs = {}
    for stack in range(stacks):
        name, last = f"stack_{stack}", stack == stacks - 1
        y = _residual(_hourglass(x, depth, filters, name=name), filters, name=f"{name}_top")
        y = convolve(y, filters, name=f"{name}_features_conv")
        y = _activate(y, name=f"{name}_features")
        head = layers.Conv2D(num_keypoints, 1, dtype="float32", name=f"{name}_heatmaps")
        outputs["heatmaps" if last else name] = maps = head(y)
        if not last:
            back = layers.Conv2D(filters, 1, name=f"{name}_features_back")(y)
            remapped = layers.Conv2D(filters, 1, name=f"{name}_heatmaps_back")(maps)
            x = layers.Add(name=f"{name}_sum")([x, back, remapped])
    return keras.Model(images, outputs, name=f"hourglass{stacks}")


def _check(stacks: int, depth: int, filters: int, input_shape: tuple) -> None:
    if min(stacks, depth) < 1 or filters < 4 or filters % 4:
        raise ValueError(
            "expected at least 1 stack, 1 level and filters in multiples of 4, received "
            f"stacks={stacks}, depth={depth}, filters={filters}"
        )
    multiple = STRIDE * 2**depth
    if any(side is not None and (side < 1 or side % multiple) for side in input_shape[:2]):
        raise ValueError(
            f"expected a height and width in multiples of {multiple} pixels for a depth of "
            f"{depth}, received {tuple(input_shape[:2])}; choose another crop size, or a smaller "
            "depth"
        )


def _stem(x, filters: int):
    """(B, H, W, 3) -> (B, H / 4, W / 4, filters)."""
    x = _activate(convolve(x, filters // 4, 7, 2, name="stem_conv"), name="stem")
    x = _residual(x, filters // 2, name="stem_residual1")
    x = layers.MaxPooling2D(2, name="stem_pool")(x)
    x = _residual(x, filters // 2, name="stem_residual2")
    return _residual(x, filters, name="stem_residual3")


def _hourglass(x, depth: int, filters: int, *, name: str):
    """Halves, goes on at the smaller size, doubles and adds what stayed; shapes as x."""
    name = f"{name}_level{depth}"
    stayed = _residual(x, filters, name=f"{name}_skip")
    low = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    low = _residual(low, filters, name=f"{name}_down")
    if depth > 1:
        low = _hourglass(low, depth - 1, filters, name=name.rpartition("_")[0])
    else:
        low = _residual(low, filters, name=f"{name}_bottom")
    low = _residual(low, filters, name=f"{name}_up")
    low = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_double")(low)
    return layers.Add(name=f"{name}_add")([stayed, low])


def _residual(x, filters: int, *, name: str):
    """1x1, 3x3, 1x1, each behind normalisation and ReLU; (B, h, w, C) -> (B, h, w, filters).

    Reference: He et al. 2016, "Identity mappings", as Newell's text and figure 4 have it.
    """
    y = convolve(_activate(x, name=f"{name}_1"), filters // 2, name=f"{name}_conv1")
    y = convolve(_activate(y, name=f"{name}_2"), filters // 2, 3, name=f"{name}_conv2")
    y = convolve(_activate(y, name=f"{name}_3"), filters, name=f"{name}_conv3")
    if x.shape[-1] != filters:
        x = convolve(x, filters, name=f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, y])


def _activate(x, *, name: str):
    """Batch normalisation and ReLU."""
    return layers.ReLU(name=f"{name}_relu")(normalize(x, False, name=f"{name}_bn"))
