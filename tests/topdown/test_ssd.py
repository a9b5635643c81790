import keras
import numpy as np
import pytest
import tensorflow as tf

from topdown.default_boxes import encode_boxes, make_default_boxes
from topdown.ssd import ssd
from topdown.ssd_detections import compile_detection, detect
from topdown.ssd_settings import SsdSettings, ssd_settings
from topdown.ssd_targets import ssd_targets

TINY = SsdSettings(size=300, scales=(0.15, 0.3), nms_threshold=0.4)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 300, 300, 3), np.uint8)


def test_ssd300_has_the_published_number_of_weights():
    count = sum(int(np.prod(v.shape)) for v in ssd().trainable_variables)
    # Of torchvision's ssd300_vgg16, of COCO's 91 classes, less those of the other 89.
    per_class = 4609 * 4 + 9217 * 6 + 4609 * 6 + 2305 * 6 + 2305 * 4 + 2305 * 4
    assert count == 35_641_826 - 89 * per_class


def test_outputs_of_ssd512():
    outputs = ssd(SsdSettings(size=512), width=4).output
    shapes = {name: output.shape for name, output in outputs.items()}
    assert shapes == {"class_logits": (None, 24564, 2), "box_deltas": (None, 24564, 4)}


def test_a_cell_answers_for_its_own_default_boxes():
    model = ssd(TINY, width=4)
    defaults, image = make_default_boxes(300, TINY.scales), tf.cast(IMAGES[:1], tf.float32)
    trunk = keras.Model(model.get_layer("vgg16").input, model.get_layer("vgg16").output["conv4_3"])
    with tf.GradientTape() as tape:
        tape.watch(image)
        cell = tf.reduce_sum(trunk(image)[0, 12, 20] ** 2)
    seen = np.abs(tape.gradient(cell, image)[0]).sum(axis=-1)
    rows, columns = np.nonzero(seen)
    centre = (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
    box = defaults[4 * (12 * 38 + 20)]
    np.testing.assert_allclose(
        centre, (box[:2] + box[2:]) / 2, atol=3
    )  # strides of 8 and of 300 / 38
    # Its head's outputs come in the order of the boxes: only those of this cell and its neighbours.
    head = model.get_layer("class_logits_head_0")
    head.kernel.assign(tf.zeros_like(head.kernel))
    head.bias.assign(np.arange(8.0))
    logits = np.asarray(model(IMAGES)["class_logits"])
    np.testing.assert_array_equal(logits[0, :4], np.arange(8).reshape(4, 2))
    np.testing.assert_array_equal(logits[:, : 4 * 38**2], np.tile(logits[:1, :4], (2, 38**2, 1)))


def test_conv4_3_starts_with_length_20():
    model = ssd(TINY, width=4)
    scaled = keras.Model(model.input, model.get_layer("conv4_3_scale").output)(IMAGES)
    lengths = np.linalg.norm(scaled, axis=-1)
    np.testing.assert_allclose(lengths[lengths > 0], 20, rtol=1e-3)
    assert model.get_layer("conv4_3_scale").trainable


def test_one_step_lowers_the_loss_and_reaches_every_kernel():
    from topdown.ssd_loss import ssd_loss

    keras.utils.set_random_seed(0)
    model = ssd(TINY, width=4)
    people = np.array([[20, 30, 70, 150], [90, 50, 200, 280]], np.float32)
    defaults = make_default_boxes(300, TINY.scales)
    pair = ssd_targets(defaults, people, np.zeros((0, 4), np.float32))
    targets, weights = ({name: array[None] for name, array in each.items()} for each in pair)
    variables = [v.value for v in model.trainable_variables]

    def loss():
        return tf.reduce_sum(sum(ssd_loss(model(IMAGES[:1]), targets, weights).values()))

    with tf.GradientTape() as tape:
        before = loss()
    gradients = tape.gradient(before, variables)
    reached = [
        v.path for v, g in zip(model.trainable_variables, gradients, strict=True) if np.any(g)
    ]
    # Nobody is as large as the default boxes of the last maps.
    missed = {v.path for v in model.trainable_variables} - set(reached)
    assert not [path for path in missed if "vgg16" in path or path.startswith("conv8")]
    keras.optimizers.SGD(1e-3, momentum=0.9).apply(gradients, model.trainable_variables)
    assert loss() < before


def oracle(people, settings):
    """Outputs that name exactly these people, the second one less surely."""
    defaults = make_default_boxes(settings.size, settings.scales)
    targets, _ = ssd_targets(defaults, people, np.zeros((0, 4), np.float32))
    logits = np.where(targets["class"] == 1, (-2.0, 2.0), (5.0, -5.0))
    return {
        "class_logits": tf.constant(logits[None], tf.float32),
        "box_deltas": tf.constant(targets["box_deltas"][None]),
    }


def test_detections_are_the_people_once_each_best_first():
    people = np.array([[20, 30, 70, 150], [100, 60, 130, 130]], np.float32)
    found = detect(oracle(people, TINY), TINY)
    num = int(found["num"][0])
    assert num == 2
    boxes = np.asarray(found["boxes"][0, :2])
    np.testing.assert_allclose(boxes[np.argsort(boxes[:, 0])], people, atol=1e-3)
    np.testing.assert_allclose(found["scores"][0, :2], 1 / (1 + np.exp(-4)), rtol=1e-5)
    assert not np.any(found["scores"][0, 2:])


def test_settings_decide_what_is_kept():
    defaults = make_default_boxes(300, TINY.scales)
    pair = np.array([[40, 40, 80, 120], [50, 40, 90, 120]], np.float32)  # IoU 0.6
    outputs = oracle(pair, TINY)
    deltas = np.array(outputs["box_deltas"])
    deltas[0, -1] = encode_boxes(defaults[-1], np.array([-30, -30, 500, 500], np.float32))
    outputs["box_deltas"] = tf.constant(deltas)  # of a score of 5e-5

    def count(**changes):
        settings = SsdSettings(**{"scales": TINY.scales, **changes})
        return int(detect(outputs, settings)["num"][0])

    assert count(nms_threshold=0.45) == 1 and count(nms_threshold=0.7) == 2
    assert count(nms_threshold=0.7, score_threshold=0.99) == 0
    assert count(nms_threshold=0.7, max_boxes=1) == 1
    everything = detect(outputs, SsdSettings(300, TINY.scales, 1e-6, 0.99, 9000))
    boxes = np.asarray(everything["boxes"])
    assert boxes.min() >= 0 and boxes.max() <= 300


def test_file_round_trip_is_bit_equal_and_keeps_the_settings(tmp_path):
    model = ssd(TINY, width=4)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert ssd_settings(loaded) == TINY
    before, after = compile_detection(model)(IMAGES), compile_detection(loaded)(IMAGES)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_a_network_that_is_no_ssd_is_named():
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="other")
    with pytest.raises(ValueError, match="expected an SSD, .* received 'other'"):
        ssd_settings(other)
