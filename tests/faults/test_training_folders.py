"""Run folders of another recipe, of a running training, or that cannot be written (T7, T8, T11)."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from training_scripts import contents, rows, run_dir, run_here, start_held, wait_for, words_of


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    assert run_here("prn", folder, "--epochs", 1) == 0
    return folder


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (("--learning-rate", 0.1), "recipe.learning_rate: 0.002 -> 0.1"),
        (("--epochs", 3), "recipe.epochs: 1 -> 3"),  # a longer cosine would raise the rate again
        (("--batch-size", 8), "fit.batch_size: 4 -> 8"),
        (("--nodes", 16), "recipe.nodes: 8 -> 16"),
    ],
)
def test_t7_another_recipe_is_refused_with_the_difference(finished, capsys, words, difference):
    before = contents(run_dir(finished))
    assert run_here("prn", finished, "--epochs", 1, *words) == 2
    assert difference in capsys.readouterr().err
    assert contents(run_dir(finished)) == before


def test_t7_what_decides_nothing_may_change_and_is_said(finished, capsys):
    words = ("--bad-images", 0.5, "--input-timeout", 60)
    assert run_here("prn", finished, "--epochs", 1, *words) == 0
    assert "recipe.input_timeout: 600.0 -> 60.0" in capsys.readouterr().err


@pytest.mark.slow
def test_t8_a_second_run_in_the_folder_is_refused(tmp_path, capsys):
    words, log = ("prn", tmp_path, "--epochs", 12), tmp_path / "log.txt"
    process = start_held(3, words_of(*words), log)
    wait_for(lambda: len(rows(tmp_path)) > 1, process, log)
    process.send_signal(signal.SIGSTOP)  # it lives, and changes nothing meanwhile
    os.waitpid(process.pid, os.WUNTRACED)
    before = contents(run_dir(tmp_path))
    assert run_here(*words) == 2
    assert f"process {process.pid} is training in" in capsys.readouterr().err
    assert contents(run_dir(tmp_path)) == before
    (tmp_path / "go").touch()
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=300) == 0, log.read_text()[-3000:]
    assert len(rows(tmp_path)) == 12
    assert run_here(*words) == 0  # the folder is free again


@contextlib.contextmanager
def below_a_file():
    with tempfile.NamedTemporaryFile() as file:
        yield Path(file.name, "run")


@contextlib.contextmanager
def without_permission():
    """A folder of another user, as whom this process acts where it is root's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(user)
        folder.rmdir()


@contextlib.contextmanager
def read_only_disk():
    folder = Path(tempfile.mkdtemp())
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder]).returncode:
        folder.rmdir()
        pytest.skip("this machine does not let tests mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


@pytest.mark.parametrize("place", [below_a_file, without_permission, read_only_disk])
@pytest.mark.parametrize("training", ["prn", "keypoint", "topdown", "ssd"])
def test_t11_an_output_that_cannot_be_written_is_refused_at_once(capsys, place, training):
    with place() as output:
        assert run_here(training, output, "--epochs", 1) == 2
        assert not (list(output.iterdir()) if output.is_dir() else [])
    said = capsys.readouterr().err
    assert "expected a folder that can be written" in said and "drawing" not in said


def test_t11_a_missing_output_is_made(tmp_path):
    output = tmp_path / "not" / "yet" / "there"
    assert run_here("prn", output, "--epochs", 1) == 0
    assert (run_dir(output) / "best.keras").is_file()
    shutil.rmtree(output)
