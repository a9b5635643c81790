import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from posekit.resnet import resnet
from posekit.skeletons import COCO, MPII
from topdown.settings import Crop, Reading, Settings, settings_of
from topdown.simple_baseline import simple_baseline

SIZE = (96, 64)
CROPS = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.float32)


def network(domains=("coco",), size=SIZE, stride=4, width=4, **options):
    skeletons = {"coco": COCO, "mpii": MPII}
    settings = Settings({name: skeletons[name] for name in domains}, size, stride)
    return simple_baseline(resnet(18, width=width), settings, **{"filters": 8, **options})


def shapes(model):
    return {name: tuple(maps.shape) for name, maps in model(CROPS).items()}


@pytest.mark.parametrize("kernel", [4, 3, 2])
def test_every_head_gives_maps_at_the_stride(kernel):
    assert shapes(network(("coco", "mpii"), kernel=kernel)) == {
        "coco": (2, 24, 16, 17),
        "mpii": (2, 24, 16, 16),
    }
    assert shapes(network(stride=8, deconvolutions=2, kernel=kernel)) == {"coco": (2, 12, 8, 17)}


def test_maps_end_where_crops_end():
    maps = network(size=(96, 80))(np.zeros((1, 96, 80, 3), np.float32))["coco"]  # C5 is 3 x 3
    assert maps.shape == (1, 24, 20, 17)
    with pytest.raises(ValueError, match="multiples of 4"):
        network(size=(96, 70))
    with pytest.raises(ValueError, match="multiples of 32"):
        network(size=(96, 80), skip=True)


def test_layers_bear_the_names_that_weights_are_found_by():
    model = network(("coco", "mpii"))
    named = {layer.name for layer in model.layers if layer.weights}
    deconvolutions = {f"deconv{number}{part}" for number in (1, 2, 3) for part in ("", "_bn")}
    assert named == {"resnet18", *deconvolutions, "head_coco", "head_mpii"}


@pytest.mark.parametrize("stride", [8, 16])
def test_a_stride_that_is_not_the_networks_is_refused(stride):
    with pytest.raises(ValueError, match=f"expected stride 4 .* received stride {stride}"):
        network(stride=stride)
    with pytest.raises(ValueError, match="3 of them with a skip"):
        network(stride=8, deconvolutions=2, skip=True)
    with pytest.raises(ValueError, match="kernel of 2, 3 or 4, received 5"):
        network(kernel=5)


def test_saved_file_holds_settings_and_gives_the_same_bits(tmp_path):
    settings = Settings(
        {"mpii": MPII, "coco": dataclasses.replace(COCO, name="renamed")},
        SIZE,
        sigma=2.25,
        crop=Crop(1.1, 60.0, (0.1, 0.15), True),
        reading=Reading("second_peak", 3.5, False, 0.1, 0.3, 0.4),
    )
    model = simple_baseline(resnet(18, width=4), settings, filters=8, kernel=3, skip=True)
    for variable in model.trainable_variables:  # heads start at 0.001, which would hide much
        variable.assign(np.random.default_rng(1).normal(0, 0.5, variable.shape))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert settings_of(again) == settings
    assert list(settings_of(again).domains) == ["mpii", "coco"]
    before, after = model(CROPS), again(CROPS)
    assert before.keys() == after.keys() and np.std(before["coco"]) > 0.1
    for name, maps in before.items():
        np.testing.assert_array_equal(maps, after[name])


def pass_on(model, tap):
    """Sets every kernel to ones in its middle, those of deconvolutions at `tap`; 0 elsewhere."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            pass_on(layer, tap)
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
            kernel = np.zeros(layer.kernel.shape, np.float32)
            middle = tuple(side // 2 for side in kernel.shape[:2])
            kernel[tap if layer.name.startswith("deconv") else middle] = 1
            layer.kernel.assign(kernel)


def lit_by_one_pixel(model, row, column):
    """Row and column of each cell that one bright pixel changes."""
    crop = np.zeros((1, *SIZE, 3), np.float32)
    dark = np.asarray(model(crop)["coco"])
    crop[0, row, column] = 255
    change = np.asarray(model(crop)["coco"] - dark)[0, ..., 0]
    return np.argwhere(change > 1e-3 * change.max())


@pytest.mark.parametrize(("kernel", "tap"), [(4, 1), (3, 1), (2, 0)])
def test_a_bright_pixel_lights_the_cell_at_its_place(kernel, tap):
    model = network(kernel=kernel)
    pass_on(model, (tap, tap))
    assert lit_by_one_pixel(model, 64, 32).tolist() == [[16, 8]]


@pytest.mark.parametrize(
    ("kernel", "first", "last"),
    [(4, -7, 14), (3, -7, 7), (2, 0, 7)],  # three times 2i - 1 to 2i + 2; to 2i + 1; 2i to 2i + 1
)
def test_deconvolutions_spread_as_torchs_paddings_do(kernel, first, last):
    model = network(kernel=kernel)
    pass_on(model, (slice(None), slice(None)))
    cells = lit_by_one_pixel(model, 32, 32)
    rows, columns = np.unique(cells[:, 0]), np.unique(cells[:, 1])
    assert rows.tolist() == list(range(8 + first, min(8 + last, 23) + 1))
    assert columns.tolist() == list(range(8 + first, min(8 + last, 15) + 1))


def test_skip_predicts_on_c3_and_is_fed_back_and_taught():
    model = network(("coco", "mpii"), skip=True)
    wanted = {"coco": (2, 24, 16, 17), "mpii": (2, 24, 16, 16)}
    wanted |= {"coco.intermediate": (2, 12, 8, 17), "mpii.intermediate": (2, 12, 8, 16)}
    assert shapes(model) == wanted
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(CROPS, training=True)
        losses = {name: tf.reduce_sum(maps**2) for name, maps in outputs.items()}
    c3 = model.get_layer("resnet18").get_layer("layer2_1_conv2").kernel.value
    c4 = model.get_layer("resnet18").get_layer("layer3_0_conv1").kernel.value
    for domain in ("coco", "mpii"):
        head = model.get_layer(f"intermediate_{domain}").kernel.value
        back = model.get_layer(f"intermediate_{domain}_back").kernel.value
        own = tape.gradient(losses[f"{domain}.intermediate"], [head, c3, c4, back])
        assert [g is not None and bool(np.any(g)) for g in own] == [True, True, False, False]
        # Each domain's maps read what every domain's intermediate maps give back.
        for reader in ("coco", "mpii"):
            final = tape.gradient(losses[reader], [head, back])
            assert all(np.any(g) for g in final)


def test_layers_of_one_shape_start_unlike_each_other():
    model = network(("coco", "mpii"))
    second, third = (model.get_layer(name).kernel.numpy() for name in ("deconv2", "deconv3"))
    assert second.shape == third.shape and abs(second - third).mean() > 1e-4  # 0.001 apart
