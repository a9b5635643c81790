from pathlib import Path

import numpy as np
import pytest

from posekit.commands import UsageError
from posekit.images import ImageError
from posekit.loop.batches import sample_indices
from posekit.skeletons import COCO, MPII
from topdown import input_pipeline
from topdown.augmentation import Augmentation, random_scale_and_rotation
from topdown.input_pipeline import PersonSamples, domains_of
from topdown.people import People
from topdown.settings import Settings

STILL = Augmentation(scale=(1, 1), rotation_probability=0.0, flip=0.0)
ALL = Augmentation(half_body=0.5, colour=0.5)
PLACES = np.stack(np.meshgrid(np.arange(40, 90, 10), np.arange(20, 100, 20)), -1).reshape(-1, 2)
COLOURS = np.array([(30 * (k % 4) + 60, 60 * (k // 4), 200 - 10 * k) for k in range(17)], np.uint8)


class Pictures:
    """A data set of pictures of one person: a dot of another colour at each keypoint."""

    def __init__(self, count=3, skeleton=COCO, damaged=()):
        self.count, self.skeleton, self.damaged = count, skeleton, damaged
        self.image_ids = 100 + np.arange(count)
        self.image_folder = Path("drawn")
        self.read = []

    def __len__(self):
        return self.count

    def image(self, i):
        self.read.append(i)
        if i in self.damaged:
            raise ImageError("damaged", f"{i}.jpg")
        image = np.zeros((120, 130, 3), np.uint8)
        for (x, y), colour in zip(PLACES, COLOURS[: self.skeleton.num_keypoints], strict=False):
            image[y - 3 : y + 4, x - 3 : x + 4] = colour
        return image


def people_of(*datasets, each=1):
    counts = [len(dataset) * each for dataset in datasets]
    keypoints = np.zeros((sum(counts), 17, 3), np.float32)
    keypoints[..., :2], keypoints[..., 2] = PLACES[:17], 2
    number = np.repeat(np.arange(len(datasets)), counts)
    for row, dataset in enumerate(number):
        keypoints[row, datasets[dataset].skeleton.num_keypoints :] = 0
    image = np.concatenate([np.arange(count) // each for count in counts])
    boxes = np.tile(np.float32([[35, 15, 90, 90]]), (len(number), 1))
    return People(datasets, number, image, boxes, keypoints, np.full(len(number), 4000.0))


def samples_of(people, augmentation=ALL, domains=None, **options):
    domains = domains or {"coco": COCO}
    settings = Settings(domains, size=(128, 96))
    names = tuple(domains)[: len(people.datasets)]
    return PersonSamples(people, settings, names, augmentation, **options)


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        pairs = [(one[k], other[k]) for k in one] if isinstance(one, dict) else [(one, other)]
        for x, y in pairs:
            np.testing.assert_array_equal(x, y)


def colours_at(crop, keypoints):
    x, y = np.round(keypoints[:, :2]).astype(int).T
    return crop[y, x].astype(int)


@pytest.mark.parametrize(
    "augmentation",
    [
        None,
        STILL,
        Augmentation(scale=(0.9, 1.1), rotation_probability=1.0, flip=0.0),
        Augmentation(scale=(0.9, 1.1), rotation_probability=1.0, shape="uniform", flip=1.0),
    ],
    ids=["held out", "still", "turned", "mirrored"],
)
def test_keypoints_lie_on_their_dots(augmentation):
    samples = samples_of(people_of(Pictures()), augmentation)
    mirrored = augmentation is not None and augmentation.flip == 1
    seen = 0
    for draw in range(8):
        crop, targets, weights = samples.sample(0, draw)
        assert weights["keypoints"].shape == (17,)
        x, y = targets["keypoints"][:, :2].T
        inside = (x > 2) & (x < 93) & (y > 2) & (y < 125)
        found = colours_at(crop, targets["keypoints"][inside])
        drawn = COLOURS[list(COCO.flip)] if mirrored else COLOURS  # what was left is right now
        assert (np.abs(found - drawn[inside]) <= 1).all()
        seen += inside.sum()
    assert seen > 8 * 14


def test_turned_crops_are_turned_and_mirrored_ones_mirrored():
    people = people_of(Pictures())
    still, _, _ = samples_of(people, None).sample(0)
    same, _, _ = samples_of(people, STILL).sample(0, draw=4)
    np.testing.assert_array_equal(still, same)
    only_mirrored = Augmentation(scale=(1, 1), rotation_probability=0.0, flip=1.0)
    mirrored, _, _ = samples_of(people, only_mirrored).sample(0, draw=4)
    assert np.abs(still[:, ::-1].astype(int) - mirrored).max() <= 1


def test_a_sample_depends_on_seed_and_draw_alone():
    people = people_of(Pictures())
    samples = samples_of(people)
    rows, draws = np.array([2, 0, 1, 2, 0]), np.array([9, 4, 7, 1, 5])
    together = samples.samples(rows, draws)
    fresh = samples_of(people)
    for place in (4, 0, 3):
        alone = fresh.sample(int(rows[place]), int(draws[place]))
        part = [
            {name: values[place] for name, values in x.items()} if isinstance(x, dict) else x[place]
            for x in together
        ]
        assert_same(alone, part)
    assert (fresh.sample(0, 4)[0] != fresh.sample(0, 5)[0]).any()
    assert (fresh.sample(0, 4)[0] != samples_of(people, seed=1).sample(0, 4)[0]).any()


def test_tf_data_gives_the_same_samples_in_order():
    people = people_of(Pictures(), each=15)
    samples = samples_of(people, mining_from=30)
    rows = np.random.default_rng(0).permutation(len(people))
    draws = np.arange(20, 20 + len(rows))
    loaded = list(samples.load(rows, draws).as_numpy_iterator())
    assert len(loaded) == len(rows) > 2 * input_pipeline.CROPS_AT_A_TIME
    for row, draw, found in zip(rows, draws, loaded, strict=True):
        assert_same(found, samples.sample(int(row), int(draw)))
    assert [targets["mining"] for _, targets, _ in loaded] == (draws >= 30).tolist()
    types = {name: value.dtype.name for name, value in loaded[0][1].items()}
    assert types == dict(keypoints="float32", domain="int32", mining="bool", image_id="int64")
    assert [t["image_id"] for _, t, _ in loaded] == (100 + people.image[rows]).tolist()


def test_a_damaged_image_weighs_nothing():
    people = people_of(Pictures(damaged=(1,)), each=2)
    samples = samples_of(people)
    crops, targets, weights = samples.samples(np.arange(6), np.arange(6))
    assert not crops[2:4].any() and not targets["keypoints"][2:4].any()
    assert weights["keypoints"].any(axis=1).tolist() == [True, True, False, False, True, True]
    assert samples.rejected.entries() == [{"path": "1.jpg", "reason": "damaged", "count": 2}]


def test_an_epoch_reads_each_image_about_once(monkeypatch):
    monkeypatch.setattr(input_pipeline, "BYTES_KEPT", 130 * 120 * 130 * 4)
    dataset = Pictures(300)
    people = people_of(dataset, each=3)
    order = sample_indices(0, len(people), len(people), seed=0, groups=people.groups)
    for _ in samples_of(people, STILL).load(order, np.arange(len(people))):
        pass
    assert sorted(set(dataset.read)) == list(range(300)) and len(dataset.read) < 330


def test_people_of_two_domains():
    coco, mpii = Pictures(), Pictures(skeleton=MPII)
    domains = {"mpii": MPII, "coco": COCO}
    samples = samples_of(people_of(mpii, coco), Augmentation(flip=1.0), domains)
    _, targets, weights = samples.samples(np.array([0, 3]), np.array([1, 1]))
    assert targets["domain"].tolist() == [0, 1]
    assert targets["keypoints"].shape == (2, 17, 3) and not targets["keypoints"][0, 16].any()
    assert weights["keypoints"][0, 16] == 0
    left, right = MPII.names.index("left_wrist"), MPII.names.index("right_wrist")
    places = targets["keypoints"][:, :, :2]
    # Of both people dot k lies at the same place, which has another name by either skeleton.
    twin = COCO.flip.index(left)
    np.testing.assert_allclose(places[0, right], places[1, twin], atol=1e-4)


def test_chance_becomes_scales_and_angles():
    rng = np.random.default_rng(0)
    uniform, normal = rng.random((4000, 3)), rng.standard_normal((4000, 2))
    scale, rotation = random_scale_and_rotation(uniform, normal, Augmentation())
    assert (scale.min(), scale.max()) == (0.7, 1.3)
    assert (np.abs(rotation).max(), (rotation != 0).mean()) == pytest.approx((80, 0.6), abs=0.02)
    uniformly = Augmentation(scale=(0.5, 2.0), shape="uniform")
    scale, rotation = random_scale_and_rotation(uniform, normal, uniformly)
    assert (scale.min(), scale.max()) == pytest.approx((0.5, 2.0), abs=0.01)
    assert np.abs(rotation).max() == pytest.approx(40, abs=0.1)


def test_the_domain_of_a_data_set():
    settings = Settings({"mpii": MPII, "coco": COCO})
    assert domains_of(settings, {"coco": None, "mpii": None}) == ("coco", "mpii")
    assert domains_of(Settings({"pose": COCO}), ["coco", "other"]) == ("pose", "pose")
    with pytest.raises(UsageError, match=r"heads \['mpii', 'coco'\], received \['other'\]"):
        domains_of(settings, ["coco", "other"])
