import json

import h5py
import numpy as np
import pytest
from scipy import io

from posekit.datasets.coco import DatasetError
from posekit.datasets.mpii_truth import load_mpii_truth
from posekit.metrics.coco import EvaluationError
from posekit.metrics.mpii import GROUPS, pckh
from posekit.metrics.mpii_files import evaluate_mpii_files, read_predictions
from posekit.metrics.mpii_report import to_json, to_text, warnings_of
from posekit.skeletons import MPII

ORDER = "rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri".split()
HEAD_TOP, PELVIS = MPII.names.index("head_top"), MPII.names.index("pelvis")


def test_published_numbers_of_a_prediction_file(shared):
    folder = shared / "data/mpii"
    truth, results = folder / "detections_our_format.mat", folder / "bearpaw-hg_s2_b1.mat"
    scores = evaluate_mpii_files(truth, results)
    published = [95.80, 94.57, 88.12, 83.31, 86.24, 80.88, 77.44]
    assert list(scores.at[0].groups.values()) == pytest.approx(published, abs=0.01)
    assert scores.at[0].plain_mean == pytest.approx(86.757, abs=0.001)
    assert scores.at[0].mean == pytest.approx(87.299, abs=0.001)
    assert scores.people == {"ground_truth": 2958, "predicted": 2958}
    assert scores.keypoints == {"ground_truth": 16 * 2958 - 3088, "not_finite": 0}
    rounded = evaluate_mpii_files(folder / "annot_valid.h5", results).at[0]
    assert rounded.groups["Head"] == pytest.approx(95.84, abs=0.01)
    assert rounded.groups["Wrist"] == pytest.approx(83.31, abs=0.01)


def people(count=2):
    """Truth at (10, 20) for all keypoints of all people, heads of size 10."""
    keypoints = np.tile(np.array([10, 20, 2], np.float32), (count, 16, 1))
    return keypoints, np.full(count, 10.0)


def test_counts_by_hand():
    keypoints, sizes = people(3)
    keypoints[1:, HEAD_TOP, 2] = 0  # one head top only, and it is found
    keypoints[2, 5, :2] = 0
    predictions = keypoints[..., :2].copy()
    predictions[0, 0, 0] += 5  # a right ankle at the threshold: found
    predictions[1, 0, 1] += 5.01  # just beyond
    predictions[2, 5] = np.nan  # a left ankle that was not predicted
    predictions[2, 1] = np.inf
    predictions[:, PELVIS] = 0  # the pelvis is in no mean
    scores = pckh(predictions, keypoints, sizes)
    assert scores.groups["Ankle"] == pytest.approx(200 / 3)
    assert scores.groups["Knee"] == pytest.approx((200 / 3 + 100) / 2)
    assert scores.groups["Head"] == 100
    # 13 keypoints of 3 people and a head top: 40, three of them missed.
    assert scores.mean == pytest.approx(100 * 37 / 40)
    assert scores.plain_mean == pytest.approx((11 * 100 + 3 * 200 / 3) / 14)
    assert pckh(predictions, keypoints, sizes, 0.49).hits[0] == 1


def test_keypoints_without_truth_are_left_out():
    keypoints, sizes = people()
    keypoints[:, HEAD_TOP, 2] = 0
    scores = pckh(keypoints[..., :2], keypoints, sizes)
    assert scores.groups["Head"] is None and scores.mean == scores.plain_mean == 100
    keypoints[..., 2] = 0
    scores = pckh(keypoints[..., :2], keypoints, sizes)
    assert scores.mean is scores.plain_mean is None and set(scores.groups.values()) == {None}


def test_columns_are_known_keypoints():
    assert {name for names in GROUPS.values() for name in names} <= set(MPII.names)


def test_unlike_counts_are_refused():
    keypoints, sizes = people()
    with pytest.raises(ValueError, match=r"\(N, 16, 2\).*received \(1, 16, 2\)"):
        pckh(keypoints[:1, :, :2], keypoints, sizes)


def write_truth(path, count=2, **changes):
    """Pixels from 1; head boxes 6 wide and 8 high."""
    names = np.empty((1, 16), object)
    names[0] = ORDER
    content = {
        "jnt_missing": np.zeros((16, count), np.uint8),
        "pos_gt_src": np.tile(np.array([11.0, 21.0])[None, :, None], (16, 1, count)),
        "headboxes_src": np.tile(np.array([[5.0, 5.0], [11.0, 13.0]])[..., None], (1, 1, count)),
        "dataset_joints": names,
    }
    io.savemat(path, content | changes)
    return path


def test_truth_in_detail(tmp_path):
    missing = np.zeros((16, 2), np.uint8)
    missing[3, 1] = 1
    write_truth(tmp_path / "gt_valid.mat", jnt_missing=missing)
    truth = load_mpii_truth(tmp_path)
    assert truth.file.name == "gt_valid.mat" and len(truth) == 2
    assert truth.head_sizes.tolist() == [6, 6]
    assert truth.head_boxes[0].tolist() == [4.5, 4.5, 10.5, 12.5]
    assert truth.keypoints[0, 3].tolist() == [10, 20, 2] and not truth.keypoints[1, 3].any()


PREDICTIONS = np.tile(np.array([10.0, 20.0]), (2, 16, 1))  # pixels from 0


def write_predictions(path, values):
    if path.suffix == ".mat":
        io.savemat(path, {"preds": values})
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["preds"] = values
    elif path.suffix == ".npz":
        np.savez(path, preds=values)
    else:
        path.write_text(json.dumps(np.where(np.isnan(values), None, values).tolist()))
    return path


@pytest.mark.parametrize(("suffix", "origin"), [(".mat", 1), (".h5", 1), (".npz", 0), (".json", 0)])
def test_every_form_of_predictions(tmp_path, suffix, origin):
    values = PREDICTIONS + origin
    values[0, 0, 1] = np.nan
    path = write_predictions(tmp_path / f"preds{suffix}", values)
    read, first = read_predictions(path)
    assert first == origin
    np.testing.assert_array_equal(np.isnan(read), np.isnan(values))
    assert np.nanmax(np.abs(read - PREDICTIONS)) == 0
    assert read_predictions(path, "1")[0][1, 0, 0] == values[1, 0, 0] - 1


def test_report(tmp_path):
    missing = np.zeros((16, 2), np.uint8)
    missing[HEAD_TOP] = 1
    truth = write_truth(tmp_path / "gt_valid.mat", jnt_missing=missing)
    values = PREDICTIONS.copy()
    values[0, 0] = np.nan
    values[1, 0] += 0.63 / np.sqrt(2)  # 0.105 head sizes
    scores = evaluate_mpii_files(truth, write_predictions(tmp_path / "p.npz", values))
    report = to_json(scores)
    json.dumps(report, allow_nan=False)
    ankles = [report["pckh"][t]["keypoints"]["right_ankle"] for t in ("0.5", "0.1", "0.11")]
    assert ankles == [50, 0, 50]
    assert report["pckh"]["0.5"]["Head"] is None
    assert report["keypoints"] == {"ground_truth": 30, "not_finite": 1}
    text = to_text(scores)
    assert 'published as "Mean@0.1"' in text.splitlines()[-1] and " none " in text
    assert [line.split(":")[1] for line in warnings_of(scores)] == [" 1", " head_top"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pos_gt_src": np.zeros((16, 3, 2))}, r"pos_gt_src: expected numbers \(16, 2, 'N'\)"),
        ({"headboxes_src": np.zeros((2, 2, 2))}, "person 0: expected a head box with a size"),
        ({"headboxes_src": np.ones((2, 2, 3))}, "expected a head size for each of 2 people"),
        ({"pos_gt_src": np.full((16, 2, 2), np.nan)}, "person 0: expected finite keypoints"),
        ({"jnt_missing": "none"}, "jnt_missing: expected numbers"),
        ({"dataset_joints": np.array(["rank"], object)}, "dataset_joints: expected"),
    ],
)
def test_faulty_truth_is_refused(tmp_path, changes, message):
    path = write_truth(tmp_path / "gt_valid.mat", **changes)
    with pytest.raises(DatasetError, match=message) as raised:
        load_mpii_truth(path)
    assert raised.match("gt_valid.mat")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="expected one of gt_valid.mat.*found none"):
        load_mpii_truth(tmp_path)
    (tmp_path / "valid.json").write_text("[]")
    with pytest.raises(DatasetError, match="head boxes, which MPII's JSON lists lack"):
        load_mpii_truth(tmp_path / "valid.json")
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(DatasetError, match="a.mat: expected a whole MATLAB file"):
        load_mpii_truth(tmp_path / "a.mat")


def test_faulty_predictions_are_refused(tmp_path):
    truth = write_truth(tmp_path / "gt_valid.mat")

    def refused(path, message):
        with pytest.raises(EvaluationError, match=message) as raised:
            evaluate_mpii_files(truth, path)
        assert raised.match(path.name)

    values = np.zeros((3, 16, 2))
    refused(write_predictions(tmp_path / "three.npz", values), "expected 2 people.*received 3")
    refused(write_predictions(tmp_path / "deep.npz", values[0]), r"expected numbers \(N, 16, 2\)")
    np.savez(tmp_path / "other.npz", poses=values)
    refused(tmp_path / "other.npz", r"expected an array 'preds', received \['poses'\]")
    np.savez(tmp_path / "pickle.npz", preds=np.array([[None]], object))
    refused(tmp_path / "pickle.npz", "expected an .npz of plain arrays")
    for name in ("cut.mat", "cut.h5", "cut.npz"):
        whole = write_predictions(tmp_path / name, np.zeros((2, 16, 2))).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        refused(tmp_path / name, "expected (a whole|an .npz of plain)")
    for text, message in (("[[1], [1, 2]]", "unlike lengths"), ('{"a": 1}', "expected numbers")):
        (tmp_path / "list.json").write_text(text)
        refused(tmp_path / "list.json", message)
    refused(tmp_path / "nothing.mat", "No such file")
    refused(tmp_path / "poses.csv", "expected a file .mat")
    text = json.dumps(np.where(PREDICTIONS > 15, "20", "10").tolist())
    (tmp_path / "text.json").write_text(text)
    refused(tmp_path / "text.json", "expected numbers")


def test_arrays_elsewhere_are_not_followed(tmp_path):
    write_predictions(tmp_path / "true.h5", PREDICTIONS)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["preds"] = h5py.ExternalLink("true.h5", "preds")
    with pytest.raises(ValueError, match="expected an array 'preds'"):
        read_predictions(tmp_path / "link.h5")
    layout = h5py.VirtualLayout((2, 16, 2), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "true.h5"), "preds", (2, 16, 2))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("preds", layout)
    with pytest.raises(ValueError, match="not in another file"):
        read_predictions(tmp_path / "virtual.h5")
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("preds", (10**9, 16, 2), "f4", chunks=(1000, 16, 2))
    with pytest.raises(ValueError, match="at most 100000000 values"):
        read_predictions(tmp_path / "bomb.h5")
