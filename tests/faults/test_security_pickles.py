"""S2: pickles and YAML objects are refused at every door, and no code of ours could read them."""

import ast
import io
import os
import pickle
import re
import types
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from script_runs import run_script

from posekit.checkpoints import CheckpointError, read_newest_checkpoint, write_checkpoint
from posekit.datasets.synthetic import write_coco
from tracking.laboratory.cached_estimator import CachedEstimator
from tracking.run.checkpoint import read_track_checkpoint

ROOT = Path(__file__).parents[2]
ROOMS = ("posekit", "multiposenet", "topdown", "tracking", "scripts")


class Canary:
    """Makes the file that $CANARY names when it is unpickled."""

    def __reduce__(self):
        return os.system, (': > "$CANARY"',)


def pickled_array():
    """An .npy of objects."""
    content = io.BytesIO()
    np.save(content, np.array([Canary()], object), allow_pickle=True)
    return content.getvalue()


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_pkl", ".pkl"), data)
    return content.getvalue()


NAMES = ("prior", "preds", "image_id", "bbox", "keypoints", "order", "version", "people", "about")
NPZ = zipped(**{f"{name}.npy": pickled_array() for name in NAMES})
PICKLE = pickle.dumps(Canary())
STREAM = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {}, Canary(), []))
TORCH = zipped(a__data_pkl=pickle.dumps({"weight": Canary()}, 2), a__version="3")
YAML = b'name: !!python/object/apply:os.system [": > $CANARY"]\n'
OUTER_YAML = b'!!python/object/apply:os.system [": > $CANARY"]\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pickles")
    contents = {"a.npz": NPZ, "b.npz": PICKLE, "a.npy": pickled_array(), "a.pkl": PICKLE}
    contents |= {"a.pth": TORCH, "b.pth": STREAM, "c.pth": PICKLE, "a.keras": PICKLE}
    contents |= {"a.yaml": YAML, "b.yaml": OUTER_YAML}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    write_coco(folder / "coco", "val", 2, size=(48, 64))
    write_mpii(folder / "annot_valid.h5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANARY", str(folder / "canary"))
        yield folder


def write_mpii(path):
    """Two people for eval_mpii.py."""
    with h5py.File(path, "w") as file:
        file["part"], file["normalize"] = np.full((2, 16, 2), 21.0), np.array([10.0, 10.0])


def doors(folder):
    """Name and words of a script, and the files that it is given at the end or for FILE."""
    train = ("--data", folder / "coco", "--train-split", "val", "--val-split", "val")
    train += ("--output", folder / "runs")
    out, people = folder / "out", folder / "coco/annotations/person_keypoints_val.json"
    weights, prn = r".*\.(npz|npy|pkl|pth)", ROOT / "pretrained/prn-small.keras"
    return {
        "train_keypoint": (("train_keypoint", *train, "--backbone-weights"), "a.npz"),
        "train_topdown": (("train_topdown", *train, "--backbone-weights"), "a.pth"),
        "train_ssd": (("train_ssd", *train, "--backbone-weights"), "b.npz"),
        "train_prn": (("train_prn", "--output", folder / "runs", "--data"), r".*\.npz"),
        "convert_torch": (("convert_torch", "FILE", folder / "out.npz"), weights),
        "convert_simple_baselines": (
            ("convert_simple_baselines", "FILE", folder / "out.keras"),
            weights,
        ),
        "convert_flownet": (("convert_flownet", "FILE", folder / "out.keras"), weights),
        "eval_prn": (("eval_prn", prn, "--data", people, "--prior"), r".*\.npz"),
        "eval_mpii": (
            ("eval_mpii", "--annotations", folder / "annot_valid.h5", "--results"),
            r".*\.npz",
        ),
        "predict": (("predict", folder / "coco/val", "--output", out, "--model"), "a.keras"),
        "explain_prn": (("explain_prn", prn, "--data", people, "--skeleton"), r".*\.yaml"),
    }


@pytest.mark.parametrize("door", doors(Path()))
def test_s2_pickles_and_yaml_objects_are_refused_at_every_door(door, place):
    words, names = doors(place)[door]
    for file in sorted(path for path in place.iterdir() if re.fullmatch(names, path.name)):
        name, *line = [file if word == "FILE" else word for word in words]
        done = run_script(name, *line, *(() if "FILE" in words else (file,)))
        assert done.code == 2 and "Traceback" not in done.err, (file, done)
        assert file.name in done.err and not (place / "canary").exists(), (file, done)
    assert not list(place.glob("out.*"))


def test_s2_pickles_in_our_own_files_are_refused(place, tmp_path):
    # Hashes are right: whoever changes a file can change its hash.
    state = tmp_path / "checkpoints"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("posekit.checkpoints.arrays_to_bytes", lambda arrays: NPZ)
        write_checkpoint(state, {}, {}, 1)
    with pytest.raises(CheckpointError, match="expected a whole checkpoint"):
        read_newest_checkpoint(state)
    with pytest.raises(ValueError, match="expected a checkpoint"):
        read_track_checkpoint(place / "a.npz")
    (tmp_path / "poses.npz").write_bytes(NPZ)
    estimator = types.SimpleNamespace(skeleton=None, propagates=False)
    with pytest.raises(ValueError, match="expected boxes and poses"):
        CachedEstimator(estimator, tmp_path / "poses.npz")
    assert not (place / "canary").exists()


def faults(tree):
    """Calls in a module that would run what a file says."""
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        wanted = ONLY_WITH.get(name, {})
        if name in NEVER or not wanted.items() <= given.items():
            yield f"{node.lineno}: {ast.unparse(node)}"


ONLY_WITH = dict.fromkeys(("np.load", "numpy.load"), {"allow_pickle": "False"})
ONLY_WITH |= {"torch.load": {"weights_only": "True"}}
NEVER = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "pickle.load"}
NEVER |= {"pickle.loads", "pickle.Unpickler", "cPickle.load", "dill.load", "joblib.load", "eval"}
NEVER |= {"exec", "marshal.loads", "shelve.open", "pandas.read_pickle", "os.system", "compile"}
NEVER |= {"keras.models.load_model", "keras.config.enable_unsafe_deserialization"}
NEVER |= {"keras.saving.load_model", "keras.saving.load_weights", "tf.keras.models.load_model"}
NEVER |= {"keras.saving.deserialize_keras_object", "keras.layers.TFSMLayer", "torch.hub.load"}
NEVER |= {"ssl._create_unverified_context", "urllib.request.urlopen", "urllib.request.urlretrieve"}
NEVER |= {"shutil.unpack_archive", "zipfile.ZipFile.extractall", "tarfile.TarFile.extractall"}
# The second is reached by way of the first only, which has checked all that is in the file.
MAY = {
    "posekit/model_loading.py": {"keras.saving.load_model"},
    "multiposenet/pose_head.py": {"keras.saving.deserialize_keras_object"},
}
IMPORTS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def test_s2_no_code_of_ours_loads_what_could_run():
    found = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name, tree = path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())
        calls = [fault for fault in faults(tree) if not any(c in fault for c in MAY.get(name, ()))]
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in imports for alias in node.names}
        names |= {node.module for node in imports if isinstance(node, ast.ImportFrom)}
        words = (".extractall(", "safe_mode=False", "allow_pickle=True", "weights_only=False")
        words += ("shell=True", "verify=False")
        words = [word for word in words if word in path.read_text()]
        found += [f"{name}: {fault}" for fault in [*calls, *(names & IMPORTS), *words]]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        *("np.load(path)", "numpy.load(path, allow_pickle=True)", "torch.load(path)"),
        *("torch.load(path, weights_only=False)", "yaml.load(text)", "pickle.loads(data)"),
        *("eval(text)", "exec(text)", "keras.saving.load_model(path)"),
    ],
)
def test_s2_the_gate_finds_what_it_should(line):
    assert list(faults(ast.parse(line)))
    assert not list(faults(ast.parse("np.load(path, allow_pickle=False); model.eval()")))
