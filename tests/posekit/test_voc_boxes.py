import numpy as np
import pytest
from PIL import Image

from posekit.datasets.coco import DatasetError
from posekit.datasets.voc_boxes import load_voc_boxes


def thing(name="person", box=(3, 5, 10, 20), **fields):
    corners = "".join(
        f"<{key}>{value}</{key}>"
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    rest = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    head = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"  # as in 2012
    return f"<object><name>{name}</name>{head}{rest}<bndbox>{corners}</bndbox></object>"


def annotation(*things, size=(40, 30)):
    height, width = size
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{''.join(things)}</annotation>"


def write(root, files, split="trainval", lines=None):
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / f"Annotations/{name}.xml").write_text(text)
    lines = list(files) if lines is None else lines
    (root / f"ImageSets/Main/{split}.txt").write_text("".join(f"{line}\n" for line in lines))
    return root


FILES = {
    "000005": annotation(
        thing(), thing("dog"), thing(box=(1, 1, 30, 40), difficult=1, truncated=1)
    ),
    "000007": annotation(thing("car")),
    "000009": annotation(thing(box=(45.7, 1, 50, 9), difficult=0), size=(10, 60)),
}


def test_persons_of_a_split(tmp_path):
    data = load_voc_boxes(write(tmp_path, FILES), "trainval")
    assert data.image_ids.tolist() == [1, 2, 3] and data.num_people.tolist() == [2, 0, 1]
    assert data.path(0) == tmp_path / "JPEGImages/000005.jpg"
    assert [data.size(0), data.size(2)] == [(40, 30), (10, 60)]
    people = data.annotations(0)
    # Pixels 3..10 and 5..20 counted from 1; the whole image is 1..30 and 1..40.
    np.testing.assert_array_equal(people["boxes"], [[2, 4, 10, 20], [0, 0, 30, 40]])
    assert people["is_crowd"].tolist() == [False, True]
    assert people["areas"].tolist() == [128, 1200] and not people["keypoints"].any()
    np.testing.assert_allclose(data.annotations(2)["boxes"], [[44.7, 0, 50, 9]])
    assert load_voc_boxes(tmp_path, "trainval", only_people=True).image_ids.tolist() == [1, 3]
    Image.new("RGB", (30, 40)).save(data.path(0), "BMP")  # needs no TensorFlow
    assert data.example(0)["image"].shape == (40, 30, 3)


def test_person_lists_and_several_years(tmp_path):
    lines = ["000005  1", "000007 -1", "000009  0"]
    old = write(tmp_path / "VOC2007", FILES, "person_val", lines)
    new = write(tmp_path / "VOC2012", {"2008_1": annotation(thing())}, "val")
    data = load_voc_boxes([old, new], "val")
    assert data.num_people.tolist() == [2, 0, 1, 1] and data.image_ids.tolist() == [1, 2, 3, 4]
    assert data.path(3) == tmp_path / "VOC2012/JPEGImages/2008_1.jpg"


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbb">]><annotation>&b;</annotation>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"a\.xml: expected plain XML, received: a document type, 'a'"),
        (annotation(thing())[:-9], r"a\.xml: expected plain XML"),
        ("", r"a\.xml: expected plain XML"),
        (annotation(thing(box=(1, 2, "x", 4))), r"a\.xml: object 0: expected a number as bndbox/x"),
        (annotation(thing(box=(1, 2, "nan", 4))), "object 0: expected a number"),
        (annotation(thing("dog"), "<object><name>person</name></object>"), "object 1: expected"),
        (annotation(size=(0, 5)), "image: expected 1 to .* pixels"),
        (annotation(size=("1e300", 5)), "image: expected 1 to .* pixels"),
        ("<annotation/>", "image: expected a number as size/height, received None"),
    ],
)
def test_faulty_annotations_are_named(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        load_voc_boxes(write(tmp_path, {"a": text}), "trainval")


def test_a_document_type_is_found_in_any_encoding(tmp_path):
    write(tmp_path, {"a": ""})
    (tmp_path / "Annotations/a.xml").write_bytes(BOMB.encode("utf-16"))
    with pytest.raises(DatasetError, match="document type"):
        load_voc_boxes(tmp_path, "trainval")


def test_lists_and_folders(tmp_path):
    with pytest.raises(DatasetError, match=r"not found: .*Annotations.*trainval.txt; expected"):
        load_voc_boxes(tmp_path, "trainval")
    for lines, message in ((["a", "a"], "repeatedly"), (["../a"], r"'\.\./a'"), (["b"], "b.xml")):
        write(tmp_path, {"a": annotation()}, lines=lines)
        with pytest.raises(DatasetError, match=message):
            load_voc_boxes(tmp_path, "trainval")
