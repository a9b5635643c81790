import keras
import numpy as np
import pytest
import tensorflow as tf

from topdown.hourglass import hourglass

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), np.uint8)


def tiny(**options):
    return hourglass(3, **{"depth": 2, "filters": 8, "input_shape": (64, 32, 3), **options})


def residual(inputs, outputs):
    """Weights of a bottleneck: three convolutions without bias, three normalisations."""
    half = outputs // 2
    kernels = inputs * half + 9 * half * half + half * outputs
    project = inputs * outputs if inputs != outputs else 0
    return kernels + project + 2 * (inputs + half + half)


@pytest.mark.parametrize("stacks", [1, 2])
def test_parameter_count_is_the_sum_by_hand(stacks):
    f, k = 256, 16
    stem = 7 * 7 * 3 * 64 + 2 * 64 + residual(64, 128) + residual(128, 128) + residual(128, f)
    # Four levels of three residuals, one at the bottom, one behind; 1x1 with normalisation; head.
    stack = (4 * 3 + 1 + 1) * residual(f, f) + f * f + 2 * f + (f + 1) * k
    between = (f + 1) * f + (k + 1) * f
    model = hourglass(k, stacks=stacks)
    count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert count == stem + stacks * stack + (stacks - 1) * between
    assert stem + 8 * stack + 7 * between == 25_373_248  # the published eight stacks


def test_every_stack_predicts_at_stride_4_of_any_shape():
    outputs = tiny(stacks=3, input_shape=(None, None, 3))(IMAGES)
    assert set(outputs) == {"heatmaps", "stack_0", "stack_1"}
    assert {tuple(output.shape) for output in outputs.values()} == {(2, 16, 8, 3)}


def test_a_bright_pixel_lights_its_own_cell_most():
    model = tiny(stacks=2)
    for layer in model.layers:  # residuals pass on what they get, all channels alike
        if isinstance(layer, keras.layers.Conv2D):
            kernel = np.zeros(layer.kernel.shape, np.float32)
            if not layer.name.endswith("conv3"):
                kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = 1
            layer.kernel.assign(kernel)
    image = np.zeros((1, 64, 32, 3), np.float32)
    image[0, 40, 20] = 255
    for name, lit in model(image).items():
        lit = np.asarray(lit - model(np.zeros_like(image))[name])[0, ..., 0]
        assert np.argwhere(lit == lit.max()).tolist() == [[10, 5]]


def test_every_stack_teaches_all_weights_before_it():
    model = tiny(stacks=2)
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(IMAGES, training=True)
        sums = {name: tf.reduce_sum(maps**2) for name, maps in outputs.items()}
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]

    def reached(name):
        gradients = tape.gradient(sums[name], [v.value for v in kernels])
        return {
            v.path for v, g in zip(kernels, gradients, strict=True) if g is not None and np.any(g)
        }

    assert reached("heatmaps") == {v.path for v in kernels}
    first = {v.path for v in kernels if not v.path.startswith("stack_1")}
    assert reached("stack_0") == {path for path in first if "_back" not in path}


def test_file_round_trip_is_bit_equal(tmp_path):
    model = tiny()
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for name, maps in model(IMAGES).items():
        np.testing.assert_array_equal(maps, loaded(IMAGES)[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (64, 40, 3)}, r"multiples of 16 pixels .* received \(64, 40\)"),
        ({"stacks": 0}, "at least 1 stack"),
        ({"filters": 6}, "multiples of 4"),
    ],
)
def test_what_cannot_be_built_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)
