import json
import multiprocessing
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from posekit.commands import UsageError
from posekit.export import (
    DESCRIPTION,
    bytes_of_variables,
    bytes_of_weights,
    export_saved_model,
    next_version,
)
from posekit.reloading import ReloadError, run_saved_model
from posekit.warm_up import FILE

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


def make_model(nodes=300):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,), name="rows")
    hidden = keras.layers.Dense(nodes)(inputs)
    return keras.Model(inputs, keras.layers.Dense(nodes)(hidden))


def make_signatures(model):
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, "rows")])
    def sums(rows):
        return {"sums": tf.reduce_sum(model(rows, training=False), axis=1)}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "texts")])
    def lengths(texts):
        return {"lengths": tf.strings.length(texts), "twice": sums(tf.zeros((1, 3)))["sums"]}

    return {"serving_default": sums, "lengths": lengths}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "rows"
    model = make_model()
    warm_up = [("serving_default", {"rows": ROWS})]
    version = export_saved_model(folder, model, make_signatures(model), warm_up, {"note": "n"})
    return version, model


def test_signatures_answer_in_a_process_without_keras(exported):
    version, model = exported
    texts = np.array([b"four", b"", b"\x00\xff\x00"], object)
    first, second = run_saved_model(
        version, [("serving_default", {"rows": ROWS}), ("lengths", {"texts": texts})]
    )
    np.testing.assert_allclose(first["sums"], model(ROWS).numpy().sum(axis=1), rtol=1e-5)
    assert second["lengths"].tolist() == [4, 0, 3]


def test_each_weight_is_written_once(exported):
    version, model = exported
    assert bytes_of_weights(model) == 4 * (3 * 300 + 300 + 300 * 300 + 300)
    assert bytes_of_weights(model) <= bytes_of_variables(version) < 1.15 * bytes_of_weights(model)


def test_files_beside_the_graph(exported):
    version, _ = exported
    assert (version.name, version.parent.name) == ("1", "rows")
    assert [path.name for path in version.parent.iterdir()] == ["1"]
    assert (version / FILE).stat().st_size > ROWS.nbytes
    description = json.loads((version / DESCRIPTION).read_text("utf-8"))
    assert description["note"] == "n"
    assert description["signatures"]["serving_default"] == {
        "inputs": {"rows": {"dtype": "float32", "shape": [None, 3]}},
        "outputs": {"sums": {"dtype": "float32", "shape": [None]}},
    }


def test_version_is_the_one_after_the_highest(tmp_path):
    assert next_version(tmp_path / "absent") == 1
    for name in ("1", "7", "notes", "9.bak", ".tmp-8-12"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 8


def test_versions_are_never_overwritten(exported):
    version, model = exported
    before = {path: path.stat().st_mtime_ns for path in version.rglob("*")}
    for number in (1, 0):
        with pytest.raises(UsageError, match=f"received {number}; the next is 2"):
            export_saved_model(version.parent, model, make_signatures(model), version=number)
    assert {path: path.stat().st_mtime_ns for path in version.rglob("*")} == before
    assert [path.name for path in version.parent.iterdir()] == ["1"]


def test_failed_export_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("posekit.export.write_warm_up", full)
    model = make_model(2)
    with pytest.raises(OSError, match="No space"):
        export_saved_model(tmp_path / "rows", model, make_signatures(model))
    assert list((tmp_path / "rows").iterdir()) == []


def export_and_die(folder):
    import posekit.export

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    posekit.export.write_warm_up = die
    model = make_model(2)
    export_saved_model(folder, model, make_signatures(model))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL")
def test_killed_export_leaves_no_version(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=export_and_die, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".tmp-") and (left / "saved_model.pb").exists()
    assert next_version(tmp_path) == 1


def test_folder_without_a_model_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ReloadError, match="expected answers of .*absent.*no saved_model.pb"):
        run_saved_model(tmp_path / "absent", [("serving_default", {"rows": ROWS})])
