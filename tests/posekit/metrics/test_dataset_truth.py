import dataclasses

import numpy as np

from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.metrics.coco_truth import read_truth
from posekit.metrics.dataset_truth import truth_of


def test_a_data_set_gives_the_truth_of_its_file(tmp_path):
    path = write_coco(tmp_path, "val", 4, size=(64, 80), people=(1, 3), heights=(0.6, 1))
    read, made = read_truth(path), truth_of(load_coco(tmp_path, "val").subset([2, 0, 3, 1]))
    for field in dataclasses.fields(read):
        ours, theirs = getattr(made, field.name), getattr(read, field.name)
        if field.name == "skeleton":
            assert ours.names == theirs.names
        elif isinstance(theirs, np.ndarray):
            np.testing.assert_allclose(ours, theirs, atol=1e-3, err_msg=field.name)


def test_images_may_be_left_out(tmp_path):
    write_coco(tmp_path, "val", 3, size=(64, 80), people=(1, 3), heights=(0.6, 1))
    dataset = load_coco(tmp_path, "val")
    truth = truth_of(dataset.subset([2]))
    people = truth.people(dataset.image_ids[2])
    np.testing.assert_array_equal(truth.keypoints[people], dataset.annotations(2)["keypoints"])
    assert len(truth.image_ids) == 1
