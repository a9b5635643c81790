"""S7: packages with known holes are named before anything is read."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from work_done import steps

from posekit.requirements import FLOORS, OutdatedPackage, check_versions, is_older

ROOT = Path(__file__).parents[2]


def install(folder, **versions):
    """Makes packages in a folder as far as their versions go."""
    for name, version in versions.items():
        about = folder / f"{name}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )


@pytest.mark.parametrize(
    ("name", "version", "floor"),
    [
        ("keras", "3.14.1", "3.15"),
        ("keras", "3.9.2", "3.15"),
        ("pillow", "12.2.0", "12.3"),
        ("opencv-python-headless", "4.8.0.76", "4.8.1.78"),
        ("opencv-contrib-python", "4.5.5.64", "4.8.1.78"),
        ("pycocotools", "2.0.4", "2.0.5"),
    ],
)
def test_s7_an_old_package_stops_every_script_with_the_command_that_helps(
    name, version, floor, tmp_path
):
    install(tmp_path, **{name.replace("-", "_"): version})
    command = [sys.executable, ROOT / "scripts" / "eval_coco.py", "nowhere.keras"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    assert f"received {name} {version}; " in done.stderr
    assert f"python -m pip install --upgrade '{name}>={floor}'" in done.stderr


def test_s7_every_script_checks():
    scripts = {path.name: path.read_text("utf-8") for path in (ROOT / "scripts").glob("*.py")}
    assert len(scripts) > 30
    assert [name for name, text in scripts.items() if not text.endswith("\n    run(main)\n")] == []


def test_s7_the_check_is_quick_and_passes_here():
    check_versions()
    # Measured: 21,874, which is 5 ms; importing Keras takes millions.
    assert steps(check_versions) < 150_000


@pytest.mark.parametrize(
    ("version", "floor", "older"),
    [
        *(("3.15", "3.15", False), ("3.15.1", "3.15", False), ("3.15.0rc1", "3.15", False)),
        *(("3.9", "3.15", True), ("12.10", "12.3", False), ("4.8.1.77", "4.8.1.78", True)),
        *(("5.0.0.93", "4.8.1.78", False), ("2", "2.0.5", True), ("13.0.0.dev0", "12.3", False)),
    ],
)
def test_s7_versions_are_compared_by_their_numbers(version, floor, older):
    assert is_older(version, floor) == older


def test_s7_what_we_ask_pip_for_is_no_older():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = re.findall(r"^([\w-]+)>=([\d.]+)", setup["options"]["install_requires"], re.MULTILINE)
    checked = {name: least for name, least in wanted if name in FLOORS}
    assert checked.keys() >= {"keras", "pillow", "pycocotools", "opencv-python-headless"}
    assert not [name for name, least in checked.items() if is_older(least, FLOORS[name])]


def test_s7_all_old_packages_are_named_at_once(monkeypatch):
    monkeypatch.setattr("posekit.requirements.installed_version", {"keras": "2.0"}.get)
    with pytest.raises(OutdatedPackage, match="received keras 2.0; "):
        check_versions()
