import keras
import pytest
from keras import layers

from posekit.compute import count_macs, published_gflops


def model_of(*stack):
    return keras.Sequential([keras.Input((8, 6, 3), dtype="uint8"), *stack])


@pytest.mark.parametrize(
    ("layer", "macs", "published"),
    [  # cells * kernel cells * input channels * output channels
        (layers.Conv2D(5, 3, 2, padding="same"), 4 * 3 * 9 * 3 * 5, 4 * 3 * 9 * 3 * 5),
        (layers.DepthwiseConv2D(3, padding="same"), 8 * 6 * 9 * 3, 8 * 6 * 9 * 3),
        (layers.Conv2DTranspose(5, 4, 2, padding="same"), 8 * 6 * 16 * 3 * 5, 16 * 12 * 16 * 3 * 5),
        (layers.Conv2DTranspose(5, 2, 2), 8 * 6 * 4 * 3 * 5, 16 * 12 * 4 * 3 * 5),
        (layers.Conv2DTranspose(5, 3, 1, padding="same"), 8 * 6 * 9 * 3 * 5, 8 * 6 * 9 * 3 * 5),
    ],
)
def test_convolutions_count_what_they_compute(layer, macs, published):
    model = model_of(layers.Rescaling(1 / 255), layer, layers.ReLU())
    assert sum(count_macs(model, (8, 6)).values()) == macs
    assert published_gflops(model, (8, 6)) == published / 2**30


def test_matrix_products_count_and_names_hold_the_layers():
    counts = count_macs(model_of(layers.Flatten(), layers.Dense(7, name="last")), (8, 6))
    assert list(counts.values()) == [8 * 6 * 3 * 7]
    assert "last" in next(iter(counts))
