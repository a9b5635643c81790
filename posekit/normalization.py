"""Colour normalisation as the first layer of a network: images in, pixel values 0 to 255."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from posekit.colours import IMAGENET_MEAN, IMAGENET_STD, RGB, check_colours


@keras.saving.register_keras_serializable(package="posekit")
class ColourNormalization(keras.layers.Layer):
    """Turns RGB pixel values into the numbers that a backbone was trained on.

    Output channel c is `(image[..., order[c]] - mean[c]) / std[c]`. The three vectors are
    non-trainable weights: they travel with every saved file, and whoever imports a checkpoint sets
    them with `set_colours`. Computed in float32 under every dtype policy, since bfloat16 has no
    room for a pixel value and its fraction, then cast to the compute dtype.

    Args:
        order: three indices into R, G, B, the order that the network wants; BGR is (2, 1, 0).
        mean: three pixel values (0 to 255), in the network's order.
        std: three positive pixel values, in the network's order.
        **kwargs: `name`, `dtype` and others of a Keras layer.

    Raises:
        ValueError: where order is no permutation of 0, 1, 2 or a number is not finite.
    """

    def __init__(
        self,
        order: Sequence[int] = RGB,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=kwargs.pop("trainable", False), autocast=False, **kwargs)
        self.order = self._vector("order", "int32")
        self.mean = self._vector("mean", "float32")
        self.std = self._vector("std", "float32")
        self.set_colours(order, mean, std)

    def set_colours(
        self, order: Sequence[int], mean: Sequence[float], std: Sequence[float]
    ) -> None:
        """Sets order, mean and std, as the class docstring describes them."""
        check_colours(order, mean, std)
        self.order.assign(np.asarray(order, np.int32))
        self.mean.assign(np.asarray(mean, np.float32))
        self.std.assign(np.asarray(std, np.float32))

    def call(self, images):
        """Normalises images.

        Args:
            images: (..., 3) RGB, uint8 or float, 0 to 255.

        Returns:
            (..., 3) in the compute dtype.
        """
        channels = ops.take(ops.cast(images, "float32"), self.order, axis=-1)
        return ops.cast((channels - self.mean) / self.std, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, with order, mean and std as they stand in the weights."""
        names = ("order", "mean", "std")
        return super().get_config() | {name: getattr(self, name).numpy().tolist() for name in names}

    def _vector(self, name: str, dtype: str):
        return self.add_weight(
            shape=(3,), initializer="ones", dtype=dtype, trainable=False, autocast=False, name=name
        )
