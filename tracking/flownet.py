"""FlowNet2-S: a network that computes optical flow, and as a source of flow."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from posekit.convolution import pad_symmetric
from posekit.frames import Frame
from posekit.model_files import kind_of_model
from posekit.model_loading import load_model
from posekit.normalization import ColourNormalization
from tracking.flow import check_longest_side, check_pair, flow_between
from tracking.flow_field import Flow

STRIDE = 64
"""Of the coarsest level; sides of the pictures are multiples of it."""
WIDTH = 64
"""Channels of the first convolution of the published network."""
DIV_FLOW = 20.0
"""The network was trained on flow divided by this."""
_FRAMES = ("first", "second")
_ENCODER = (  # name, channels in units of the width, kernel, stride
    *(("conv1", 1, 7, 2), ("conv2", 2, 5, 2), ("conv3", 4, 5, 2), ("conv3_1", 4, 3, 1)),
    *(("conv4", 8, 3, 2), ("conv4_1", 8, 3, 1), ("conv5", 8, 3, 2), ("conv5_1", 8, 3, 1)),
    *(("conv6", 16, 3, 2), ("conv6_1", 16, 3, 1)),
)
_DECODER = ((5, 8, "conv5_1"), (4, 4, "conv4_1"), (3, 2, "conv3_1"), (2, 1, "conv2"))
"""Level, channels of its deconvolution in units of the width, and what it is joined to."""


@keras.saving.register_keras_serializable(package="tracking")
class PairCentering(layers.Layer):
    """Subtracts from each colour its mean over both pictures of a pair."""

    def call(self, pair: Sequence):
        """Centres a pair.

        Args:
            pair: two tensors (B, H, W, 3).

        Returns:
            (B, H, W, 6), the first picture's channels before the second's.
        """
        first, second = pair
        means = [ops.mean(image, axis=(1, 2), keepdims=True) for image in pair]
        mean = (means[0] + means[1]) / 2
        return ops.concatenate([first - mean, second - mean], axis=-1)

    def compute_output_shape(self, input_shape: Sequence) -> tuple:
        """Returns the shape of one picture, with twice the channels."""
        *sizes, channels = input_shape[0]
        return (*sizes, 2 * channels)


@keras.saving.register_keras_serializable(package="tracking")
class Quadrupling(layers.Layer):
    """Enlarges four times by bilinear interpolation between the centres of pixels.

    As `UpSampling2D` with "bilinear", which Keras 3.15 cannot run on sizes unknown beforehand.
    """

    def call(self, maps):
        """(B, h, w, C) -> (B, 4h, 4w, C)."""
        return _quadruple(_quadruple(maps, 1), 2)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the shape with four times the rows and columns."""
        batch, *sides, channels = input_shape
        return (batch, *(side and 4 * side for side in sides), channels)


def _quadruple(maps, axis: int):
    size = ops.shape(maps)[axis]
    here = ops.arange(size)
    before = ops.take(maps, ops.maximum(here - 1, 0), axis=axis)
    after = ops.take(maps, ops.minimum(here + 1, size - 1), axis=axis)
    # Four new pixels lie 3/8 and 1/8 of an old one before its centre and behind it.
    parts = [(before, 0.375), (before, 0.125), (after, 0.125), (after, 0.375)]
    parts = [share * beside + (1 - share) * maps for beside, share in parts]
    sides = [*ops.shape(maps)]
    sides[axis] = 4 * size
    return ops.reshape(ops.stack(parts, axis=axis + 1), sides)


def flownet_s(width: int = WIDTH, name: str = "flownet_s") -> keras.Model:
    """Builds FlowNet2-S.

    Convolutions halve the pair of pictures six times; deconvolutions bring it back to a quarter,
    each joined to the convolutions of its size and to the flow that the level before it predicts.
    The layers bear the names of the public checkpoint; `posekit.weights.flownet` fills them.

    Args:
        width: channels of the first convolution; 64 is the published network of 38,676,506
            parameters, less is for tests.
        name: of the model.

    Returns:
        Model from a dict of "first" and "second", each (B, H, W, 3) RGB pixel values 0 to 255 with
        H and W multiples of 64, to a dict of "flow": (B, H, W, 2) float32 dx, dy in pixels from
        the first to the second picture.

    Reference: Dosovitskiy et al. 2015 (FlowNetSimple), figure 2 and 3; Ilg et al. 2017 (FlowNet2-S:
        that network, trained better; flow divided by 20). Its training compared a quarter-size
        pixel with the mean of the 4x4 pixels that it covers, so the last step enlarges by areas.
    """
    frames = {key: keras.Input((None, None, 3), dtype="float32", name=key) for key in _FRAMES}
    colours = ColourNormalization(mean=(0, 0, 0), std=(255, 255, 255), name="colours")
    x = PairCentering(name="centering")([colours(frames[key]) for key in _FRAMES])
    levels = {}
    for layer, channels, kernel, stride in _ENCODER:
        x = levels[layer] = _convolve(x, channels * width, kernel, stride, name=layer)
    for level, channels, joined in _DECODER:
        flow = _predict(x, level + 1)
        flow = _deconvolve(flow, 2, False, name=f"upsampled_flow{level + 1}_to_{level}")
        x = _leaky(_deconvolve(x, channels * width, True, name=f"deconv{level}"), f"deconv{level}")
        x = layers.Concatenate(name=f"concat{level}")([levels[joined], x, flow])
    flow = Quadrupling(dtype="float32", name="enlarge")(_predict(x, 2))
    flow = layers.Rescaling(DIV_FLOW, dtype="float32", name="flow")(flow)
    return keras.Model(frames, {"flow": flow}, name=name)


def _convolve(x, filters: int, kernel: int, stride: int, *, name: str):
    """Convolution with symmetric padding, then a leaky ReLU."""
    x = pad_symmetric(x, stride, kernel, name=f"{name}_pad")
    padding = "same" if stride == 1 else "valid"
    return _leaky(layers.Conv2D(filters, kernel, stride, padding, name=name)(x), name)


def _predict(x, level: int):
    return layers.Conv2D(2, 3, padding="same", name=f"predict_flow{level}")(x)


def _deconvolve(x, filters: int, use_bias: bool, *, name: str):
    """4x4 of stride 2; "same" cuts one row and column on each side, as PyTorch's padding 1."""
    return layers.Conv2DTranspose(filters, 4, 2, "same", use_bias=use_bias, name=name)(x)


def _leaky(x, name: str):
    return layers.LeakyReLU(0.1, name=f"{name}_relu")(x)


class FlowNetworkError(ValueError):
    """A file that holds no flow network."""

    exit_code = 2


def load_flow_network(path: str | Path) -> keras.Model:
    """Reads a flow network that `scripts/convert_flownet.py` wrote, a .keras file.

    Raises:
        FlowNetworkError: naming the file and what was expected.
    """
    if not Path(path).is_file():
        raise FlowNetworkError(
            f"{path} is missing; expected a flow network, a .keras file "
            "(scripts/convert_flownet.py makes one)"
        )
    try:
        if (kind := kind_of_model(path)) != "flow":
            raise ValueError(f"a model of kind {kind}")
        model = load_model(path)
        _check_network(model)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise FlowNetworkError(f"{path}: expected a flow network, received: {error}") from error
    return model


class NetworkFlow:
    """A flow source: a network such as `flownet_s`.

    Where 64 does not divide a side, the last row or column is repeated up to the next multiple, and
    the flow of what was added is cut off: no picture is stretched.

    Args:
        model: of "first" and "second" to "flow", as `flownet_s`.
        consistency: as in `tracking.flow.dis_flow`.
        longest_side: as there.

    Raises:
        ValueError: for another model, or a longest_side that makes no sense.
    """

    def __init__(
        self, model: keras.Model, consistency: bool = True, longest_side: int | None = None
    ) -> None:
        _check_network(model)
        check_longest_side(longest_side)
        self.model = model
        self.consistency = consistency
        self.longest_side = longest_side

    @functools.cached_property
    def key(self) -> str:
        """What tells its flow from that of other sources, networks and settings."""
        digest = hashlib.blake2b(digest_size=20)
        for array in self.model.get_weights():
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array))
        return f"NetworkFlow {digest.hexdigest()} {self.consistency} {self.longest_side}"

    def __call__(self, first: Frame, second: Frame) -> Flow:
        """Computes the flow from the first frame to the second."""
        images = check_pair(first.image, second.image)
        return flow_between(self._compute, *images, self.consistency, self.longest_side)

    def _compute(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        height, width, _ = first.shape
        beyond = (0, -height % STRIDE), (0, -width % STRIDE), (0, 0)
        pair = zip(_FRAMES, (first, second), strict=True)
        inputs = {key: np.pad(image, beyond, mode="edge")[None] for key, image in pair}
        return self.model.predict_on_batch(inputs)["flow"][0, :height, :width]


def _check_network(model: keras.Model) -> None:
    names = sorted(tensor.name for tensor in model.inputs), list(getattr(model, "output_names", []))
    if names != (list(_FRAMES), ["flow"]):
        raise ValueError(
            "expected a network of 'first' and 'second' to 'flow', as tracking.flownet builds "
            f"it, received '{model.name}' of {names[0]} to {names[1]}"
        )
