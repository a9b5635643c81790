"""Files that are no files, arrays that are not what their headers say, places nobody can write."""

import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from annotation_files import coco_results, good_truth, peaks
from script_runs import run_script

from posekit.npz_files import NpzError, read_npz

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """A good file of each kind."""
    files = {"truth": good_truth(), "boxes": coco_results("bbox"), "peaks": peaks()}
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


READERS = {  # words of the command line; FILE is what is no file
    "COCO truth": ("eval_coco", "--annotations", "FILE.json", "--results", "boxes.json"),
    "COCO truth, packed": ("eval_coco", "--annotations", "FILE.gz", "--results", "boxes.json"),
    "COCO results": ("eval_boxes", "--annotations", "truth.json", "--results", "FILE.json"),
    "peaks": ("group", "--peaks", "FILE.json", "--boxes", "boxes.json", "--output", "out.json"),
    "people": ("eval_prn", "--data", "FILE.npz"),
    "MPII": ("eval_mpii", "--annotations", "FILE.h5", "--results", "boxes.json"),
    "MATLAB": ("eval_mpii", "--annotations", "FILE.mat", "--results", "boxes.json"),
    "model": ("eval_coco", "FILE.keras", "--data", "."),
    "torch": ("convert_torch", "FILE.pth", "out.npz"),
    "detections": ("merge_detections", "FILE.json", "--output", "out.json"),
}
NO_FILES = {"pipe": os.mkfifo, "device": lambda path: path.symlink_to("/dev/null")}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("reader", READERS)
def test_a8_what_is_no_file_is_neither_waited_for_nor_read_to_its_end(
    reader, kind, folder, monkeypatch, watch
):
    monkeypatch.chdir(folder)
    words = [word.replace("FILE", "other") for word in READERS[reader]]
    [name] = [word for word in words if word.startswith("other")]
    NO_FILES[kind](folder / name)
    watch(20)
    done = run_script(*words)
    assert done.code == 2 and not done.out and name in done.err, done
    assert re.search("regular file|missing|found none", done.err), done


def npy(shape, kind="<f4", content=b""):
    """An array's file with any header."""
    header = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def packed(content, packing=zipfile.ZIP_DEFLATED, damaged=False):
    """An .npz of one array under each of the names that our readers look for."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name in ("prior", "preds", "image_id", "bbox", "keypoints"):
            archive.writestr(f"{name}.npy", content)
    data = bytearray(file.getvalue())
    if damaged:
        data[60:90] = bytes(30)
    return bytes(data)


NUMBERS = np.random.default_rng(0).random(5000, np.float32)
PLAIN = npy((5000,), "<f4", NUMBERS.tobytes())
ARRAYS = {
    "no bytes": b"",
    "terabytes": packed(npy((10**12,), "<f4", b"few bytes")),
    "fewer than said": packed(npy((5001,), "<f4", NUMBERS.tobytes())),
    "negative": packed(npy((-5000,), "<f4", NUMBERS.tobytes())),
    "header without end": packed(b"\x93NUMPY\x01\x00\x10\x00{'descr':[[[[[[[[ "),
    "deep header": packed(b"\x93NUMPY\x01\x00\x60\xea" + b"(" * 60000),
    "no array": packed(b"hello"),
    "text": packed(npy((2,), "<U4", b"a\0\0\0" * 8)),
    "objects": packed(npy((1,), "|O", b"\x80\x02N.")),
    "damaged, deflate": packed(PLAIN, damaged=True),
    "damaged, LZMA": packed(PLAIN, zipfile.ZIP_LZMA, damaged=True),
    "damaged, bzip2": packed(PLAIN, zipfile.ZIP_BZIP2, damaged=True),
}
NPZ_READERS = {
    "prior": ("eval_prn", "--data", "truth.json", "--prior", "a.npz"),
    "people": ("eval_prn", "--data", "a.npz"),
    "weights": ("convert_torch", "a.npz", "out.npz"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_s2_arrays_are_what_their_headers_say_or_refused(case, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "a.npz").write_bytes(ARRAYS[case])
    with pytest.raises(NpzError, match="a.npz: expected an .npz of plain arrays, received: ."):
        read_npz("a.npz")
    for words in NPZ_READERS.values():
        done = run_script(*words)
        assert done.code == 2 and "a.npz" in done.err and not done.out, done
    assert not (folder / "out.npz").exists()


def test_s2_arrays_of_the_wrong_shape_or_not_finite_are_no_prior(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for prior in (NUMBERS, np.full((56, 36, 17), np.nan), np.ones((56, 36, 16))):
        np.savez("a.npz", prior=prior)
        done = run_script(*NPZ_READERS["prior"])
        assert done.code == 2 and "finite maps of (56, 36, 17)" in done.err, done


def test_arrays_that_numpy_writes_are_read_as_they_are(tmp_path):
    written = {
        "rows": np.arange(6.0).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "one": np.array(True),
        "none": np.zeros((0, 3), np.float16),
        "big": np.arange(3, dtype=">f8"),
    }
    np.savez_compressed(tmp_path / "a.npz", **written)
    found = read_npz(tmp_path / "a.npz")
    assert found.keys() == written.keys()
    for name, array in written.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype and found[name].flags.writeable
    assert read_npz(tmp_path / "a.npz", ("one",)).keys() == {"one"}


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} {[f'*a{n - 1}'] * 9}\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS.replace("'", ""), "expected YAML without aliases"),
        ("keypoints: [" + "a, " * 50_000 + "b]", "expected at most 100000 bytes, received 150014"),
    ],
)
def test_s2_a_skeleton_of_few_lines_does_not_unfold_to_millions(text, message, folder, watch):
    (folder / "a.yaml").write_text(text)
    watch(20)
    done = run_script("explain_prn", "nowhere.keras", "--skeleton", folder / "a.yaml")
    assert done.code == 2 and message in done.err, done.err[:1000]


FILES = "--annotations", "truth.json", "--results", "boxes.json"
WRITERS = {  # words before the name of what is to be written, its ending
    "detect": (("detect", "--data", "nowhere", "--output"), ".json"),
    "group": (("group", "--peaks", "peaks.json", "--boxes", "boxes.json", "--output"), ".json"),
    "merge": (("merge_detections", "boxes.json", "--output"), ".json"),
    "curves": (("eval_coco", *FILES, "--curves"), ".png"),
    "write": (("eval_coco", "a.keras", "--data", "nowhere", "--write"), ""),
    "peaks": (("eval_coco", "a.keras", "--data", "nowhere", "--picture"), ".png"),
    "structures": (("explain_prn", "nowhere.keras", "--picture"), ".png"),
    "weights": (("convert_torch", "nowhere.pth"), ".npz"),
    "half": (("save_half", "nowhere.keras"), ".keras"),
    "backbone": (("extract_backbone", "nowhere.keras"), ".npz"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_cannot_be_written_is_refused_before_the_work(writer, folder, monkeypatch):
    monkeypatch.chdir(folder)
    words, ending = WRITERS[writer]
    (folder / f"folder{ending}").mkdir()
    (folder / "file").touch()
    before = sorted(folder.rglob("*"))
    places = [f"missing/a{ending}", f"file/a{ending}", "x" * 300 + ending]
    places += [f"folder{ending}", "."] if ending else ["file"]
    for place in places:
        done = run_script(*words, place)
        assert done.code == 2 and place[:60] in done.err and not done.out, done
    assert sorted(folder.rglob("*")) == before


FAIL = """
import errno, sys
from posekit.commands import run
def main():
    print("name", "\\udcff", "\\u2603")
    if len(sys.argv) > 1:
        raise OSError(errno.ENOSPC, "No space left on device", "/x/a")
run(main)
"""


@pytest.mark.parametrize(("words", "code"), [((), 0), (("fails",), 1)])
def test_what_the_system_answers_and_names_that_are_no_text_end_in_a_line(words, code, tmp_path):
    (tmp_path / "script.py").write_text(FAIL)
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", *words], env=environment, capture_output=True
    )
    assert done.returncode == code and done.stdout == "name \\udcff ☃\n".encode()
    lines = done.stderr.decode().splitlines()
    said = ["script.py: [Errno 28] No space left on device: '/x/a'"]
    assert lines == (said if code else [])
