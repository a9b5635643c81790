import copy
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as reference

from posekit.datasets.coco import load_coco
from posekit.datasets.masks import Segmentations, decode_runs, mask_of_runs, polygon_points
from posekit.images import ImageError
from posekit.skeletons import COCO, POSETRACK

# Pictures of 6 x 8 (height x width), so that swapped sizes show.
IMAGES = [{"id": 7, "file_name": "a.png", "height": 6, "width": 8}]
PERSON = {"id": 1, "name": "person", "keypoints": list(COCO.names)}
NOSE = [3, 2, 2] + [0] * 48  # x 3, y 2, visible


def person(number, **fields):
    base = {"id": number, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 5}
    return base | {"iscrowd": 0, "keypoints": NOSE} | fields


def write(root, annotations, images=IMAGES, categories=(PERSON,), split="val"):
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / split).mkdir(exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": list(categories)}
    (root / f"annotations/person_keypoints_{split}.json").write_text(json.dumps(content))
    return root


def load(root, annotations, **options):
    return load_coco(write(root, annotations, **options), "val")


def drawn(rows, size=(6, 8)):
    """A mask from rows of text, # is set."""
    mask = np.array([[c == "#" for c in row] for row in rows.split()])
    assert mask.shape == size
    return mask


def test_arrays_of_one_image(tmp_path):
    data = load(tmp_path, [person(1), person(2, keypoints=[0] * 51, iscrowd=1)])
    example = data.annotations(0)
    assert len(data) == 1 and data.skeleton is COCO and example["image_id"] == 7
    np.testing.assert_array_equal(example["boxes"], [[1, 2, 4, 6]] * 2)
    np.testing.assert_array_equal(example["areas"], [5, 5])
    np.testing.assert_array_equal(example["is_crowd"], [False, True])
    np.testing.assert_array_equal(example["keypoints"][0, 0], [3, 2, 2])
    assert not example["keypoints"][0, 1:].any() and not example["keypoints"][1].any()
    kinds = {key: (value.dtype.name, value.shape) for key, value in example.items()}
    assert kinds == {
        "image_id": ("int64", ()),
        "keypoints": ("float32", (2, 17, 3)),
        "boxes": ("float32", (2, 4)),
        "areas": ("float32", (2,)),
        "is_crowd": ("bool", (2,)),
    }


def test_people_go_to_their_images_and_empty_images_stay(tmp_path):
    images = [{**IMAGES[0], "id": number, "file_name": f"{number}.png"} for number in (30, 10, 20)]
    people = [
        person(
            n,
            image_id=image,
            bbox=[0, 0, n, 1],
            area=0 if n == 3 else n,  # 3 is dropped
            keypoints=[n] + NOSE[1:],
            segmentation={"size": [6, 8], "counts": [n, 1, 47 - n]},
            iscrowd=int(n == 4),
        )
        for n, image in ((1, 20), (2, 30), (3, 20), (4, 30), (5, 20))
    ]
    # What comes before the people must not shift their columns.
    dog = person(9, image_id=10, category_id=2, segmentation=RLE)
    categories = [{"id": 2, "name": "dog"}, PERSON]
    data = load(tmp_path, [dog, *people], images=images, categories=categories)
    assert data.report["other_categories"] == 1
    assert data.image_ids.tolist() == [30, 10, 20] and data.num_people.tolist() == [2, 0, 2]
    for i, numbers in ((0, [2, 4]), (1, []), (2, [1, 5])):
        example = data.annotations(i)
        assert example["areas"].tolist() == example["boxes"][:, 2].tolist() == numbers
        assert example["keypoints"][:, 0, 0].tolist() == numbers
        assert example["is_crowd"].tolist() == [n == 4 for n in numbers]
        assert np.flatnonzero(data.masks(i)["person_mask"].T).tolist() == numbers
    assert data.annotations(1)["keypoints"].shape == (0, 17, 3)
    assert not any(mask.any() for mask in data.masks(1).values())
    peopled = load_coco(tmp_path, "val", only_people=True)
    assert peopled.image_ids.tolist() == [30, 20]
    last = peopled.subset([1])
    assert (len(last), last.path(0).name, last.image_ids[0]) == (1, "20.png", 20)
    assert last.annotations(0)["areas"].tolist() == [1, 5] and data.subset([1]).index is data.index
    assert data.subset(data.num_people == 0).image_ids.tolist() == [10]


def test_no_annotations_and_no_images_are_legal(tmp_path):
    assert len(load(tmp_path, [])) == 1
    data = load(tmp_path, [], images=[])
    assert len(data) == 0 and data.image_ids.shape == (0,)


SQUARE = [[1, 0, 4, 0, 4, 3, 1, 3]]
RLE = {"size": [6, 8], "counts": [36, 12]}  # columns 6 and 7


def test_the_three_masks(tmp_path):
    people = [
        person(1, segmentation=SQUARE),
        person(2, segmentation=RLE, iscrowd=1),
        person(3, bbox=[3, 2, 2, 2]),  # annotated, its mask unknown
        person(4, bbox=[0.5, 4, 1, 1.5], keypoints=[0] * 51),  # nothing known but the box
        person(5, segmentation=[[6, 0, 8, 0, 8, 1, 6, 1]]),
    ]
    masks = load(tmp_path, people).masks(0)
    # cv2 draws the outline of the square at columns 0.5 and 3.5, rows -0.5 and 2.5.
    inside = drawn(".###.... .###.... .###.... ........ ........ ........") | (np.arange(8) > 5)
    outline = drawn("#####.## #####.## #####.## #####.## ........ ........") | inside
    assert (masks["person_mask"] >= inside).all() and (masks["person_mask"] <= outline).all()
    box = drawn("........ ........ ........ ........ ##...... ##......")
    np.testing.assert_array_equal(masks["ignore_mask"], box | (np.arange(8) > 5))
    unknown = box | drawn("........ ........ ...##... ...##... ........ ........")
    np.testing.assert_array_equal(masks["unknown_mask"], unknown & ~masks["person_mask"])
    assert all(mask.dtype == bool and mask.shape == (6, 8) for mask in masks.values())


def test_run_lengths_go_down_the_columns():
    mask = mask_of_runs(np.array([1, 2, 3]), (2, 3))
    np.testing.assert_array_equal(mask, [[0, 1, 0], [1, 0, 0]])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_compressed_runs_equal_pycocotools(height, width, seed):
    rng = np.random.default_rng(seed)
    mask = (cv2.blur(rng.random((height, width)), (3, 3)) > rng.random()).astype(np.uint8)
    text = reference.encode(np.asfortranarray(mask))["counts"].decode()
    np.testing.assert_array_equal(mask_of_runs(decode_runs(text), (height, width)), mask)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_polygons_equal_pycocotools_but_for_the_boundary(seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 30)))
    radii = rng.uniform(2, 90, (len(angles), 1))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + rng.uniform(-20, 90, 2)
    rows = np.array([[0, 1]]), np.array([[0, 0]])
    masks = Segmentations(
        polygon_points(points), np.array([0, len(points)]), rows[0], np.zeros(0, int), rows[1]
    )
    canvas = np.zeros((50, 70), np.uint8)
    masks.draw(0, canvas)
    expected = reference.decode(reference.frPyObjects([points.ravel().tolist()], 50, 70))[..., 0]
    outline = (points - 0.5).astype(np.float32)  # the centre of the top-left pixel is (0, 0)
    # What leaves the picture is cut along its border, so the outermost pixels do not count.
    for y, x in 1.0 + np.argwhere((canvas != expected)[1:-1, 1:-1]):
        assert abs(cv2.pointPolygonTest(outline, (x, y), True)) < 1.25


def test_examples_hold_the_stored_pixels_whatever_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    data = load(tmp_path, [person(1)])
    Image.fromarray(pixels).save(data.path(0), exif=exif)
    example = data.example(0)
    np.testing.assert_array_equal(example["image"], pixels)
    assert set(example) == {"image", *data.annotations(0), *data.masks(0)}


def test_missing_and_resized_pictures_are_image_errors(tmp_path):
    data = load(tmp_path, [person(1)])
    with pytest.raises(ImageError, match="No such file"):
        data.example(0)
    Image.new("RGB", (6, 8)).save(data.path(0))  # turned by a quarter
    with pytest.raises(ImageError, match=r"a\.png.*\(6, 8\).*image id 7.*\(8, 6\)"):
        data.example(0)


def test_the_folder_tree_is_checked_first(tmp_path):
    with pytest.raises(ValueError, match="nowhere is missing.*\n.*nowhere/\n.*keypoints_val.json"):
        load_coco(tmp_path / "nowhere", "val")
    write(tmp_path, [])
    with pytest.raises(ValueError, match="keypoints_train.json is missing(.|\n)*there for: val"):
        load_coco(tmp_path, "train")
    (tmp_path / "val").rmdir()
    with pytest.raises(ValueError, match="/val is missing"):
        load_coco(tmp_path, "val")


def test_only_people_count(tmp_path):
    dog = {"id": 2, "name": "dog"}
    broken = {"id": "x", "category_id": 2, "bbox": None}
    data = load(tmp_path, [broken, person(1)], categories=[dog, PERSON])
    assert data.report["people"] == 1


def test_the_only_category_with_keypoints_stands_in_for_a_missing_person(tmp_path):
    paws = {"id": 2, "name": "dog", "keypoints": ["left_paw", "right_paw"]}
    cat, hens = {"id": 3, "name": "cat"}, {**paws, "id": 4, "name": "hen"}
    dog = person(1, category_id=2, keypoints=[3, 2, 2, 0, 0, 0])
    data = load(tmp_path, [dog, person(2, category_id=3)], categories=[cat, paws])
    assert data.skeleton.names == ("left_paw", "right_paw")
    assert (data.report["people"], data.report["other_categories"]) == (1, 1)
    np.testing.assert_array_equal(data.annotations(0)["keypoints"], [[[3, 2, 2], [0, 0, 0]]])
    both = load(tmp_path, [dog, person(2)], categories=[paws, PERSON])
    assert both.skeleton is COCO and both.index.annotation_ids.tolist() == [2]
    for categories in ([cat], [paws, hens], [], [{**paws, "id": "2"}]):
        with pytest.raises(ValueError, match="val.json: categories: expected one named 'person'"):
            load(tmp_path, [], categories=categories)
    with pytest.raises(ValueError, match=r"received \['dog \(has keypoints\)', 'hen .*, 'cat'\]"):
        load(tmp_path, [], categories=[paws, hens, cat])


def test_the_skeleton_of_the_category_and_a_wanted_one(tmp_path):
    category = {**PERSON, "keypoints": ["head_bottom", "left_hip", "right_hip"]}
    root = write(
        tmp_path, [person(1, keypoints=[1, 2, 2, 3, 4, 1, 0, 0, 0])], categories=[category]
    )
    own = load_coco(root, "val")
    assert own.skeleton.names == ("neck", "left_hip", "right_hip")
    mapped = load_coco(root, "val", POSETRACK)
    assert mapped.skeleton is POSETRACK
    keypoints = mapped.annotations(0)["keypoints"][0]
    np.testing.assert_array_equal(keypoints[POSETRACK.names.index("left_hip")], [3, 4, 1])
    assert (keypoints[:, 2] > 0).sum() == 2
    plain = load(tmp_path, [person(1)], categories=[{"id": 1, "name": "person"}])
    assert plain.skeleton is COCO


def test_impossible_boxes_and_areas_are_dropped_and_counted(tmp_path):
    boxes = {2: [1, 1, 0, 2], 3: [1, 1, 2, -2], 4: [9, 1, 2, 2], 5: [1, 1, 1e9, 2]}
    people = [person(number, bbox=box) for number, box in boxes.items()]
    people += [person(1), person(6, area=0), person(8, bbox=[-2, 3, 4, 9])]
    people += [person(9, segmentation=[[1, 1, 2, 2]])]
    data = load(tmp_path, people)
    assert data.report == {
        "images": 1,
        "people": 3,
        "other_categories": 0,
        "bad_boxes": [2, 3, 4, 5],
        "bad_areas": [6],
        "clipped_boxes": [8],
        "short_polygons": [9],
    }
    np.testing.assert_array_equal(data.annotations(0)["boxes"][1], [0, 3, 2, 6])
    assert data.index.annotation_ids.tolist() == [1, 8, 9]


FAULTS = {
    "no id": ({"id": None}, "annotation id None: id: expected a whole number"),
    "id as text": ({"id": "5"}, "id: expected a whole number, received '5'"),
    "unknown image": ({"image_id": 8}, "annotation id 5: expected an image_id among.* 8 "),
    "box of three": ({"bbox": [1, 2, 3]}, "annotation id 5: bbox: expected a list of 4"),
    "box of text": ({"bbox": [1, 2, 3, "4"]}, "annotation id 5: bbox: expected numbers"),
    "no area": ({"area": None}, "annotation id 5: area"),
    "crowd 2": ({"iscrowd": 2}, "annotation id 5: iscrowd: expected 0 or 1"),
    "16 keypoints": ({"keypoints": [0] * 48}, "annotation id 5: keypoints: expected 51 .* 48"),
    "50 numbers": ({"keypoints": [0] * 50}, "annotation id 5: keypoints: expected 3 numbers each"),
    "visibility 3": ({"keypoints": [1, 1, 3] + [0] * 48}, "annotation id 5: .*visibilities"),
    "far keypoint": ({"keypoints": [2e6, 1, 2] + [0] * 48}, "annotation id 5: .*below 1e"),
    "odd polygon": ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "annotation id 5: .*x, y pairs"),
    "far polygon": ({"segmentation": [[0, 0, 1e8, 0, 1e8, 1e8]]}, "annotation id 5: .*below 1e"),
    "flat polygon": ({"segmentation": [1, 2, 3, 4, 5, 6]}, "annotation id 5: segmentation"),
    "polygon of null": ({"segmentation": [[1, 2, None, 4, 5, 6]]}, "annotation id 5: .*numbers"),
    "RLE too long": (
        {"segmentation": {"size": [6, 8], "counts": [40, 12]}},
        "annotation id 5: .*fill 6 x 8",
    ),
    "RLE negative": (
        {"segmentation": {"size": [6, 8], "counts": [50, -2]}},
        "annotation id 5: .*fill 6 x 8",
    ),
    "RLE turned": (
        {"segmentation": {"size": [8, 6], "counts": [36, 12]}},
        r"annotation id 5: .*\[6, 8\] \(height, width\), received \[8, 6\]",
    ),
    "RLE below 0": (
        {"segmentation": {"size": [-2, -3], "counts": [6]}},
        r"annotation id 5: segmentation: expected size .* above 0, received \[-2, -3\]",
    ),
    "RLE of nothing": (
        {"segmentation": {"size": [0, 0], "counts": [0]}},
        r"annotation id 5: segmentation: expected size .* above 0, received \[0, 0\]",
    ),
    "RLE text cut": ({"segmentation": {"size": [6, 8], "counts": "T1`"}}, "annotation id 5: .*cut"),
    "RLE text foreign": ({"segmentation": {"size": [6, 8], "counts": "é"}}, "id 5: .*foreign"),
    "RLE long digits": (
        {"segmentation": {"size": [6, 8], "counts": "o" * 99 + "0"}},
        "id 5: .*2.31",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_file_and_annotation(fault, tmp_path):
    fields, message = FAULTS[fault]
    with pytest.raises(ValueError, match=rf"keypoints_val\.json: .*{message}"):
        load(tmp_path, [person(1), person(5, **fields)])


def test_repeated_ids_are_refused(tmp_path):
    with pytest.raises(ValueError, match="val.json: .*unique annotation ids, .* id 3 2 times"):
        load(tmp_path, [person(3), person(4), person(3)])
    with pytest.raises(ValueError, match="val.json: .*unique image ids, received image id 7 2"):
        load(tmp_path, [], images=[IMAGES[0], {**IMAGES[0], "file_name": "b.png"}])


@pytest.mark.parametrize(
    "fields",
    [
        {"file_name": name}
        for name in ("../a", "b/../../a", "/etc/a", "a\0", "", 5, "C:\\a", "..\\a")
    ]
    + [{"height": 0}, {"width": 1 << 40}, {"width": "8"}, {"id": 1.5}],
)
def test_faulty_images_are_refused(fields, tmp_path):
    with pytest.raises(ValueError, match=r"val\.json: images\[0\], image id .*: \w+"):
        load(tmp_path, [], images=[IMAGES[0] | fields])


NUMBERS = st.one_of(
    st.integers(-10, 20), st.floats(allow_nan=False), st.sampled_from([1e9, -1e9, 1e308, 10**400])
)
ODD = st.one_of(NUMBERS, st.none(), st.text(max_size=3), st.lists(NUMBERS, max_size=8))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": ODD,
        "image_id": ODD,
        "iscrowd": ODD,
        "area": ODD,
        "bbox": st.one_of(st.lists(NUMBERS, min_size=4, max_size=4), ODD),
        "keypoints": st.one_of(st.lists(NUMBERS, min_size=51, max_size=51), ODD),
        "segmentation": st.one_of(
            st.lists(st.lists(NUMBERS, max_size=10), max_size=3),
            st.fixed_dictionaries(
                {"size": st.one_of(st.just([6, 8]), ODD), "counts": st.one_of(ODD, st.text())}
            ),
            ODD,
        ),
    },
)


@given(FIELDS)
@settings(max_examples=200)
def test_random_annotations_load_soundly_or_are_refused(tmp_path_factory, fields):
    root = tmp_path_factory.mktemp("coco")
    good = person(1)
    before = copy.deepcopy(good)
    try:
        data = load(root, [good, person(5) | fields])
    except ValueError as error:
        assert "annotation" in str(error) and "keypoints_val.json" in str(error)
        return
    example = data.annotations(0) | data.masks(0)
    assert all(np.isfinite(value).all() for value in example.values())
    boxes = example["boxes"]
    assert (boxes[:, 2:] > boxes[:, :2]).all() and (boxes >= 0).all()
    assert (boxes <= [8, 6, 8, 6]).all() and (example["areas"] > 0).all()
    assert 1 <= len(boxes) <= 2 and good == before


def test_real_files(shared):
    root = shared / "data/coco_small"
    train, val = load_coco(root, "train"), load_coco(root, "val")
    assert (len(train), train.report["people"]) == (2155, 8791)
    assert train.index.segmentations.known(slice(None)).sum() == 935
    labelled = train.index.keypoints[..., 2].max(axis=1) > 0
    assert labelled.sum() == 4998
    with open(val.annotation_file) as file:
        content = json.load(file)
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    for i in range(0, len(val), 24):
        people = [a for a in content["annotations"] if a["image_id"] == val.image_ids[i]]
        keypoints = np.array([a["keypoints"] for a in people]).reshape(-1, 17, 3)
        np.testing.assert_allclose(val.annotations(i)["keypoints"], keypoints)
        expected = np.zeros(sizes[val.image_ids[i]], np.uint8)
        for a in people:
            runs = reference.frPyObjects(a["segmentation"], *expected.shape)
            runs = reference.merge(runs) if isinstance(runs, list) else runs
            expected |= reference.decode(runs)
        mask = val.example(i)["person_mask"]
        assert (mask & (expected > 0)).sum() > 0.97 * expected.sum()
        assert (mask <= cv2.dilate(expected, np.ones((5, 5), np.uint8))).all()
