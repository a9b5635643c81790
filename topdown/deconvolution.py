"""Deconvolutions and prediction layers as Simple Baselines starts and pads them."""

import keras
from keras import layers

from posekit.convolution import normalize

# As a dictionary: an initializer keeps its seed, so that layers which share one start alike, and
# one made on import does not follow the seed of the run.
_START = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.001}}


def deconvolve(x, filters: int = 256, kernel: int = 4, *, name: str) -> keras.KerasTensor:
    """Doubles height and width: transposed convolution of stride 2, batch normalisation, ReLU.

    Args:
        x: (B, h, w, C).
        filters: output channels F.
        kernel: 4, 3 or 2; the first row and column that PyTorch's padding 1 with output padding 1
            cuts off is cut off for 3, where Keras' "same" would cut the last.
        name: of the layers.

    Returns:
        (B, 2h, 2w, F)

    Raises:
        ValueError: another kernel.

    Reference: Xiao et al. 2018, section 2; PyTorch's (padding, output padding) for kernels 4, 3, 2
        are (1, 0), (1, 1), (0, 0).
    """
    if kernel not in (2, 3, 4):
        raise ValueError(f"expected a deconvolution kernel of 2, 3 or 4, received {kernel}")
    x = layers.Conv2DTranspose(
        filters,
        kernel,
        strides=2,
        padding="valid" if kernel == 3 else "same",
        use_bias=False,
        kernel_initializer=_START,
        name=name,
    )(x)
    if kernel == 3:
        x = layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop")(x)
    return layers.ReLU(name=f"{name}_relu")(normalize(x, False, name=f"{name}_bn"))


def predict_maps(x, num_keypoints: int, *, name: str) -> keras.KerasTensor:
    """Predicts heatmaps by a 1x1 convolution; (B, h, w, C) -> (B, h, w, K) float32."""
    return layers.Conv2D(num_keypoints, 1, kernel_initializer=_START, dtype="float32", name=name)(x)
