import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from multiposenet.detection_subnet import detection_model
from multiposenet.export import OUTPUTS, export
from multiposenet.export_check import LIMITS, differences, requests_for
from multiposenet.keypoint_subnet import keypoint_model
from multiposenet.model import join
from multiposenet.prediction import Prediction, Predictor
from multiposenet.prn import prn
from posekit.export import bytes_of_variables, bytes_of_weights
from posekit.export_command import encode, within_limits
from posekit.images import decode_image
from posekit.poses import Poses
from posekit.reloading import run_saved_model
from posekit.resnet import resnet
from posekit.skeletons import POSETRACK

SIZES = ((64, 64), (40, 150), (97, 33), (32, 32))
# Readouts of a size that makes scores and masks differ from place to place.
SPREAD = {"class_readout": 0.25, "box_readout": 0.2, "maps": 0.05}


def make_model():
    """Random networks of 15 keypoints that find 0 to 20 people, depending on the picture."""
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    backbone = resnet(18, width=8)
    keypoints = keypoint_model(backbone, 15, fpn_depth=8, depth=4)[1]
    detector = detection_model(backbone, fpn_depth=8, depth=8)
    for variable in (*detector.variables, *keypoints.variables):
        layer, _, kind = variable.path.partition("/")
        if layer.startswith(("class_", "box_", "maps")) and kind == "kernel":
            deviation = (2 / np.prod(variable.shape[:3])) ** 0.5 * SPREAD.get(layer, 1)
            variable.assign(rng.normal(0, deviation, variable.shape))
    detector.get_layer("class_readout").bias.assign(np.full(9, -6.0))
    grouper = prn(15, nodes=4, rank=2)
    sizes = {"shorter_edge": 64, "canvas": (96, 96), "max_people": 20, "max_peaks": 5}
    limits = {"box_threshold": 0.5, "mask_threshold": -0.4}
    return join(keypoints, detector, grouper, POSETRACK, **sizes, **limits)


def picture(seed, size):
    """Squares of random colours; the last one is nearly black."""
    rng = np.random.default_rng(seed)
    grid = (-(-size[0] // 16), -(-size[1] // 16), 3)
    cells = rng.integers(0, (256, 200, 160, 9)[seed], grid, np.uint8)
    return cells.repeat(16, axis=0).repeat(16, axis=1)[: size[0], : size[1]]


FILES = [encode(picture(seed, size), (".png", ".jpg")[seed % 2]) for seed, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A SavedModel, and what it answers in a fresh process: to all pictures, and to each."""
    folder, model = tmp_path_factory.mktemp("models"), make_model()
    version = export(model, folder, "people")
    images = [decode_image(data) for data in FILES]
    requests = requests_for(images, FILES)
    requests += [("from_jpeg", {"image_bytes": np.array([data], object)}) for data in FILES]
    answers = run_saved_model(version, requests)
    compared, alone = answers[: 1 + len(FILES)], answers[1 + len(FILES) :]
    return SimpleNamespace(
        version=version,
        model=model,
        images=images,
        compared=compared,
        alone=alone,
        together=compared[-1],
    )


def test_pictures_of_several_sizes_give_the_poses_that_each_gives_alone(served):
    counts = served.together["num_poses"].tolist()
    assert len(set(counts)) > 2 and min(counts) < max(counts) == served.together["boxes"].shape[1]
    for row, (answer, size) in enumerate(zip(served.alone, SIZES, strict=True)):
        count = counts[row]
        assert answer["num_poses"].tolist() == [count]
        for name in ("boxes", "box_scores", "keypoints", "scores"):
            padded = served.together[name][row]
            np.testing.assert_allclose(padded[:count], answer[name][0], atol=1e-3, err_msg=name)
            assert not padded[count:].any()
        assert served.together["sizes"][row].tolist() == list(size)
        mask = served.together["mask"][row]
        np.testing.assert_array_equal(mask[: size[0], : size[1]], answer["mask"][0])
        assert not mask[size[0] :].any() and not mask[:, size[1] :].any()


def test_outputs_are_in_pixels_of_the_pictures(served):
    assert served.together["mask"].shape == (4, 97, 150)
    assert served.together["mask"].dtype == np.uint8
    assert 0.02 < served.together["mask"].mean() < 0.9
    assert served.together["keypoints"].shape[2:] == (15, 3)
    corners = served.together["boxes"].max(axis=1)[:, 2:]
    assert (corners <= np.array(SIZES)[:, ::-1] + 1e-3).all()
    assert corners[1, 0] > 96  # the canvas is 96 pixels wide


def test_both_signatures_equal_the_python_path(served):
    predictor = Predictor(served.model)
    expected = [predictor.predict([image])[0] for image in served.images]
    assert sum(len(one.poses) for one in expected) == served.together["num_poses"].sum() > 0
    found = differences(served.compared, expected)
    assert found.keys() == {"serving_default", "from_jpeg"}
    assert within_limits(found, LIMITS), found


@pytest.mark.parametrize(
    "name, shift",
    [("boxes", 0.11), ("keypoints", 0.11), ("scores", 2e-4), ("box_scores", np.nan), ("mask", 1)],
)
def test_a_difference_in_one_output_is_found_out(served, name, shift):
    """The Python path is played by the answers themselves."""
    expected = [
        Prediction(
            Poses(answer["keypoints"][0], answer["scores"][0], answer["boxes"][0], POSETRACK),
            answer["box_scores"][0],
            answer["mask"][0] == 1,
        )
        for answer in served.compared[:-1]
    ]
    assert within_limits(differences(served.compared, expected), LIMITS)
    wrong = dict(served.together)
    wrong[name] = wrong[name].copy()
    wrong[name][0, 0, ...] += np.array(shift, wrong[name].dtype)
    found = differences([*served.compared[:-1], wrong], expected)
    assert within_limits({"serving_default": found["serving_default"]}, LIMITS)
    assert not within_limits(found, LIMITS)


def test_each_weight_is_written_once(served):
    assert bytes_of_variables(served.version) < 1.15 * bytes_of_weights(served.model)


def test_description_and_warm_up_stand_beside_the_graph(served):
    extra = served.version / "assets.extra"
    description = json.loads((extra / "model.json").read_text("utf-8"))
    assert description["skeleton"]["names"] == list(POSETRACK.names)
    assert description["settings"]["mask_threshold"] == -0.4
    outputs = description["signatures"]["from_jpeg"]["outputs"]
    assert outputs.keys() == OUTPUTS.keys() == served.together.keys()
    assert outputs["keypoints"] == {"dtype": "float32", "shape": [None, None, 15, 3]}
    records = tf.data.TFRecordDataset(str(extra / "tf_serving_warmup_requests"))
    names = [[name in r.numpy() for name in (b"serving_default", b"from_jpeg")] for r in records]
    assert names == [[True, False], [False, True]]


def test_a_damaged_picture_fails_the_request(served):
    from_jpeg = tf.saved_model.load(str(served.version)).signatures["from_jpeg"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG"):
        from_jpeg(image_bytes=tf.constant([FILES[0], FILES[1][:-100]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected the bytes of a JPEG or PNG"):
        from_jpeg(image_bytes=tf.constant([b"GIF89a"]))
