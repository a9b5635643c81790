import subprocess
import sys

import pytest
from ledger_commands import COMMANDS, ROOT, ROWS, SCRIPTS, TRAININGS, parse, recipes_of

from posekit.ledger import Paper, Row, Table, expand, figures, render

OF_NO_PAPER = {"demo", "demo-crowds", "small", "detector-small", "prn-small", "ssd-demo"}


def test_the_page_is_up_to_date(tmp_path):
    def check(*options):
        command = [sys.executable, SCRIPTS / "results.py", "--check", *options]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "old.md").write_text((ROOT / "docs" / "RESULTS.md").read_text() + "\n")
    done = check("--output", tmp_path / "old.md")
    assert done.returncode == 1 and "scripts/results.py" in done.stderr


def test_a_page():
    rows = (
        Row(
            "p-1-a",
            "A|B",
            figures("AP AP50", 1.5, 2),
            ("train_x.py a $MPII", "eval.py"),
            "",
            ("X",),
        ),
        Row("p-1-b", "C", {}, (), missing="all"),
        Row("p-1-c", "D", {"AP": "3"}, ("t.py",), "trained here on 5 images: AP 2"),
        Row("p-1-d", "E", {}, ("t.py", "t.py")),
    )
    page = render([Paper("P", (Table("T", "About.", rows),))])
    assert "| P | 4 | 3 | 1 | 1 | 1 |" in page
    assert page.endswith(
        "## P\n\n### T\n\nAbout.\n\n"
        "| id | row | command | paper | status |\n|---|---|---|---|---|\n"
        "| p-1-a | A\\|B | `python scripts/train_x.py a $MPII`<br>`python scripts/eval.py` "
        "| AP 1.5, AP50 2 | runs; needs X |\n"
        "| p-1-b | C |  |  | not built: all |\n"
        "| p-1-c | D | `python scripts/t.py` | AP 3 | trained here on 5 images: AP 2 |\n"
        "| p-1-d | E | as above<br>`python scripts/t.py` |  | runs |\n"
    )
    assert expand("train_x.py a $MPII:valid") == ["train_x.py", "a", "mpii:data/mpii:valid"]


def test_what_a_row_refuses():
    with pytest.raises(ValueError, match="with commands, or with what is missing"):
        Row("p-1", "A", {})
    with pytest.raises(ValueError, match="received NOWHERE"):
        expand("train_x.py $NOWHERE")
    with pytest.raises(ValueError):
        figures("AP AP50", 1.0)


def test_ids_and_statuses():
    ids = [row.id for row in ROWS]
    assert len(set(ids)) == len(ids) > 150
    for row in ROWS:
        assert row.status, row.id
        assert not row.here or row.here.startswith(("trained here on ", "measured here on ")), (
            row.id
        )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_parses(command):
    parse(command)


def test_every_recipe_of_a_paper_is_in_the_ledger():
    listed = {tuple(command.split()[:2]) for command in TRAININGS}
    scripts = {script for script, _ in listed}
    assert len(scripts) == 5
    for script in scripts:
        named = {(script, name) for name in recipes_of(script) if name not in OF_NO_PAPER}
        assert named - listed == set()


def test_what_starts_from_another_run_starts_from_a_recipe():
    topdown = recipes_of("train_topdown.py")
    starts = [recipe.init for _, recipe in topdown.values() if recipe.init]
    assert len(starts) == 7
    for path in starts:
        assert path.parent.name.removeprefix("topdown-") in topdown, path
