import keras
import numpy as np
import pytest

from multiposenet.prn import cross_entropy, input_kind, prn, prn_loss, training_form
from multiposenet.prn_inputs import draw_labels, draw_people, own_cells

TINY = dict(num_keypoints=3, size=(6, 4), nodes=8)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        # 34272 = 56 * 36 * 17 cells: 34272 N + N + N 34272 + 34272.
        (dict(nodes=1024), 70_224_352),
        (dict(nodes=50), 3_461_522),
        (dict(nodes=512, hidden_layers=2), 35_391_968),
        # 2016 * 64 + 64 + 1088 * 768 + 768 + 768 * 1088 + 1088 + 64 * 2016 + 34272.
        (dict(nodes=768, rank=64), 1_965_408),
    ],
)
def test_parameters(options, count):
    assert prn(17, **options).count_params() == count


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("options", [dict(), dict(hidden_layers=2, residual=False)])
def test_maps_are_distributions_and_the_file_gives_them_again(options, rank, tmp_path):
    model = prn(**TINY, rank=rank, **options)
    x = np.random.default_rng(0).random((2, 6, 4, 3), np.float32)
    outputs = model(x)
    maps = np.asarray(outputs["maps"])
    assert maps.shape == np.shape(outputs["logits"]) == (2, 6, 4, 3)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, atol=1e-5)
    model.save(tmp_path / "prn.keras")
    again = keras.saving.load_model(tmp_path / "prn.keras", compile=False)
    np.testing.assert_array_equal(maps, again(x)["maps"])
    one = np.asarray(model(x[1:])["maps"])
    np.testing.assert_allclose(one[0], maps[1], atol=1e-6)


def silenced(**options):
    """A network whose learned part is 0, or -1 where `relu_residual` must cut it."""
    model = prn(**TINY, dropout=0.0, **options)
    for weight in model.weights:
        weight.assign(keras.ops.zeros_like(weight))
    model.get_layer("readout").bias.assign(np.full(72, -1.0))
    return model


def test_the_residual_adds_the_input():
    x = np.random.default_rng(0).random((1, 6, 4, 3), np.float32)
    np.testing.assert_allclose(silenced()(x)["logits"], x - 1, atol=1e-6)
    np.testing.assert_allclose(silenced(relu_residual=True)(x)["logits"], x, atol=1e-6)
    np.testing.assert_allclose(silenced(residual=False)(x)["logits"], -1 + 0 * x, atol=1e-6)


def test_every_keypoint_sees_every_other():
    for rank in (None, 2):
        model = prn(**TINY, rank=rank, dropout=0.0)
        x = np.zeros((1, 6, 4, 3), np.float32)
        before = np.asarray(model(x)["logits"])
        x[0, 5, 0, 2] = 5
        after = np.asarray(model(x)["logits"])
        assert np.abs(after - before)[..., 0].max() > 1e-4


def test_global_softmax_sums_over_all_maps():
    maps = np.asarray(prn(**TINY, softmax="global")(np.ones((2, 6, 4, 3), np.float32))["maps"])
    np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), 1, atol=1e-5)
    with pytest.raises(ValueError, match="softmax"):
        prn(**TINY, softmax="joint")


def test_loss_by_hand():
    # Two keypoints on two cells; the second keypoint is not labelled.
    logits = np.log([[0.25, 0.75], [0.9, 0.1]]).reshape(1, 2, 2, 1)
    labels = np.array([[0.5, 0.5], [0, 0]]).reshape(1, 2, 2, 1)
    expected = -0.5 * (np.log(0.25) + np.log(0.75))
    assert np.asarray(cross_entropy(logits, labels)).tolist() == pytest.approx([expected])
    loss = cross_entropy(logits, labels, "global")
    assert np.asarray(loss).tolist() == pytest.approx([expected + np.log(2)])
    assert np.asarray(cross_entropy(logits, 0 * labels)).tolist() == [0]


@pytest.mark.parametrize("kind", ["peaks", "heatmaps"])
def test_the_training_form_is_the_same_network_on_drawn_inputs(kind, tmp_path):
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((2, 4, 3, 2)) * 50, np.ones((2, 4, 3, 1))], -1)
    points, boxes = points.astype(np.float32), np.array([[5, 0, 40, 50], [0, 9, 30, 40]])
    model = prn(**TINY, kind=kind)
    training = training_form(model)
    assert [v is w for v, w in zip(training.variables, model.variables, strict=True)]
    outputs = training({"candidates": points, "boxes": boxes.astype(np.float32)})
    expected = np.asarray(model(draw_people(points, boxes, (6, 4), kind))["logits"])
    logits = np.asarray(outputs["keypoint_logits"])
    np.testing.assert_allclose(logits, expected.transpose(0, 3, 1, 2), atol=1e-5)
    targets = {"keypoints": points[:, 1], "boxes": boxes}
    labels = draw_labels(*own_cells(points[:, 1], boxes, (6, 4)), (6, 4), axis=1)
    loss = prn_loss(outputs, targets)["maps"]
    np.testing.assert_allclose(loss, cross_entropy(logits, labels), rtol=1e-5)
    model.save(tmp_path / "prn.keras")
    assert input_kind(keras.saving.load_model(tmp_path / "prn.keras")) == kind


def test_the_place_for_what_is_not_to_be_seen():
    """Three places with logits 0, 0 and beside them 0: each has a third."""
    logits = np.zeros((1, 2, 1, 2), np.float32)
    labels = np.array([[[[1.0, 0.0]], [[0.0, 0.0]]]], np.float32)  # the second is not labelled
    loss = cross_entropy(logits, labels, none_logits=np.zeros((1, 2), np.float32))
    np.testing.assert_allclose(loss, [np.log(3)], rtol=1e-6)
    sure = cross_entropy(logits, labels, none_logits=np.array([[-20.0, 20.0]], np.float32))
    np.testing.assert_allclose(sure, [np.log(2) / 2], rtol=1e-5)


@pytest.mark.parametrize("rank", [None, 2])
def test_maps_beside_the_place_for_nothing_sum_to_the_rest(rank):
    network = prn(3, size=(4, 5), nodes=4, rank=rank, none=True)
    x = np.random.default_rng(0).random((2, 4, 5, 3), np.float32)
    bias = network.get_layer("none_logits").bias
    bias.assign([-30.0, 0.0, 30.0])
    sums = network(x)["maps"].numpy().sum(axis=(1, 2))
    np.testing.assert_allclose(sums[:, 0], 1, atol=1e-5)
    assert (sums[:, 1] < 1).all() and (sums[:, 2] < 1e-5).all()
    names = set(training_form(network).output)
    assert names == {"keypoint_logits", "none_logits"}
    with pytest.raises(ValueError, match="not with none"):
        prn(3, none=True, softmax="global")
