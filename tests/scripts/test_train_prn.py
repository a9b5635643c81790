import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from script_runs import help_at_once

ROOT = Path(__file__).parents[2]


def run(script, *words, check=True):
    command = [sys.executable, ROOT / "scripts" / script, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT)


def test_help_answers_at_once_and_lists_the_rows_of_table_3():
    text = help_at_once("train_prn")
    rows = ("1x50", "1x50-d", "1x512-d", "2x512-d", "1x2048-d-r", "1x1024-d-r", "small")
    for name in ("demo", *(f"prn-{row}" for row in rows)):
        assert f"{name} " in text
    assert "--boxes" in help_at_once("eval_prn")


TINY = (
    *("--synthetic.train", 12, "--synthetic.val", 4, "--synthetic-side", 64),
    *("--nodes", 8, "--rank", 4, "--batch-size", 8, "--epochs", 2),
)


def test_demo_trains_and_is_evaluated_alike(tmp_path):
    run("train_prn.py", "demo", *TINY, "--output", tmp_path)
    folder = tmp_path / "prn-demo"
    for name in ("recipe.json", "last.keras", "best.keras", "curves.png", "prior.npz"):
        assert (folder / name).stat().st_size > 100
    rows = list(csv.DictReader((folder / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"] and float(rows[1]["ap_clean"]) > 0
    report = json.loads((folder / "metrics.json").read_text())
    assert set(report["metrics"]) == {"all", "crowded"}
    data = next((tmp_path / "synthetic").iterdir())
    text = run("eval_prn.py", folder / "best.keras", "--data", data, "--json").stdout
    found = json.loads(text)
    assert found["metrics"] == report["metrics"] and "UCR, published" in found["metrics"]["all"]
    assert found["protocol"]["parameters"] == report["protocol"]["parameters"]


@pytest.mark.parametrize(
    ("script", "words", "named"),
    [
        ("train_prn.py", ["prn-1x5"], "prn-1x50"),
        ("train_prn.py", ["demo", "--data", "nowhere"], "nowhere"),
        ("train_prn.py", ["demo", "--data", "README.md"], "--val-data"),
        ("eval_prn.py", ["--data", "README.md"], "README.md"),
        ("eval_prn.py", [], "--data"),
    ],
)
def test_wrong_usage_exits_with_two(script, words, named, tmp_path):
    output = ["--output", tmp_path] if script == "train_prn.py" else []
    done = run(script, *words, *output, check=False)
    assert done.returncode == 2
    assert named in done.stderr and "Traceback" not in done.stderr
