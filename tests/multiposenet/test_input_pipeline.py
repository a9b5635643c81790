from pathlib import Path

import numpy as np
import pytest

from multiposenet.input_pipeline import Augmentation, KeypointSamples, patch_transform
from posekit.images import ImageError
from posekit.skeletons import COCO


class OnePerson:
    """A dataset of a grey image with one person whose left wrist is the only bright spot."""

    skeleton = COCO
    image_ids = np.array([7])
    image_folder = Path("val")
    wrist = COCO.names.index("left_wrist")

    def __len__(self):
        return 1

    def example(self, index):
        image = np.full((120, 160, 3), 40, np.uint8)
        image[58:63, 78:83] = 255  # centred at (80, 60)
        keypoints = np.zeros((1, 17, 3), np.float32)
        keypoints[0, self.wrist] = 80, 60, 2
        nothing = np.zeros((120, 160), bool)
        ignored, unknown = nothing.copy(), nothing.copy()
        ignored[30:90, 50:110] = True
        unknown[:, :40] = True
        return {
            "image": image,
            "image_id": np.int64(7),
            "keypoints": keypoints,
            "boxes": np.array([[60, 40, 100, 80]], np.float32),
            "areas": np.array([1600], np.float32),
            "is_crowd": np.array([False]),
            "person_mask": ignored.copy(),
            "ignore_mask": ignored,
            "unknown_mask": unknown,
        }


class Damaged(OnePerson):
    def example(self, index):
        raise ImageError("truncated", path="bad.jpg")


def samples(dataset=None, size=(128, 128), **options):
    options.setdefault("augmentation", Augmentation(colour=0.0, flip=0.5))
    return KeypointSamples(dataset or OnePerson(), size, **options)


@pytest.mark.parametrize("draw", range(8))
def test_the_bright_spot_lies_under_the_peak_of_its_keypoint(draw):
    image, targets, _ = samples().sample(0, draw)
    maps = targets["heatmaps"]
    row, column, channel = np.unravel_index(maps.argmax(), maps.shape)
    rows, columns = np.nonzero(image[..., 0] > 150)
    assert abs(rows.mean() - 4 * row) <= 3 and abs(columns.mean() - 4 * column) <= 3
    assert channel in (OnePerson.wrist, COCO.flip[OnePerson.wrist])


def test_a_mirror_makes_the_left_wrist_a_right_one():
    for flip, channel in ((0.0, OnePerson.wrist), (1.0, COCO.flip[OnePerson.wrist])):
        _, targets, _ = samples(augmentation=Augmentation(flip=flip)).sample(0, 0)
        assert np.unique(np.nonzero(targets["heatmaps"])[2]).tolist() == [channel]


def test_a_sample_depends_on_seed_and_draw_alone():
    first, again, other = (samples().sample(0, draw)[0] for draw in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (samples(seed=1).sample(0, 3)[0] != first).any()


def test_ignored_people_have_weight_zero_except_at_a_labelled_keypoint():
    # Held-out form: 120x160 in the middle of 160x160; pixel (x, y) is cell (x / 4, y / 4 + 5).
    _, targets, weights = samples(size=(160, 160), augmentation=None).sample(0)
    assert weights["heatmaps"][14, 14, 0] == 0  # inside the ignored box, far from the wrist
    assert weights["heatmaps"][20, 20, 0] == 1  # at the wrist
    assert weights["heatmaps"][10, 30, 0] == 1  # elsewhere
    assert weights["mask"][6:34, :9].max() == 0 and weights["mask"][:, 11:].min() == 1
    assert targets["mask"][20, 20, 0] == 1 and targets["mask"][10, 30, 0] == 0


def test_a_damaged_image_is_a_sample_of_weight_zero_and_is_reported():
    bad = samples(Damaged())
    image, targets, weights = bad.sample(0, 0)
    assert not image.any() and not weights["heatmaps"].any() and not weights["mask"].any()
    assert targets["image_id"] == 7
    assert bad.rejected.entries() == [{"path": "bad.jpg", "reason": "truncated", "count": 1}]


def test_tf_data_yields_the_same_samples_in_order():
    made = samples()
    indices, draws = np.zeros(5, np.int64), np.arange(5)
    loaded = list(made.load(indices, draws).as_numpy_iterator())
    for draw, (image, targets, weights) in enumerate(loaded):
        expected_image, expected_targets, expected_weights = made.sample(0, draw)
        np.testing.assert_array_equal(image, expected_image)
        for name in expected_targets:
            np.testing.assert_array_equal(targets[name], expected_targets[name])
        for name in expected_weights:
            np.testing.assert_array_equal(weights[name], expected_weights[name])


def test_a_size_the_network_cannot_take_is_refused():
    with pytest.raises(ValueError, match="multiples of 32"):
        samples(size=(100, 128))


def test_a_patch_is_filled_by_the_shorter_side_and_lies_round_the_person():
    plain = Augmentation(rotation=0.0, scale=(1.0, 1.0), flip=0.0)
    example = OnePerson().example(0)
    transform = patch_transform(np.random.default_rng(0), example, (128, 128), plain)
    # 120 pixels fill 128; the middle of the box, (80, 60), comes to the middle but for the jitter.
    np.testing.assert_allclose(transform[:, :2], np.eye(2) * 128 / 120, rtol=1e-5)
    assert np.abs(transform @ [80, 60, 1] - 63.5).max() <= 0.05 * 128
