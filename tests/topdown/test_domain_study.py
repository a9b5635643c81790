from pathlib import Path

from posekit.skeletons import POSETRACK
from topdown.domain_study import PARTS, line, part_of, study_recipes, table, trained_models
from topdown.stages import stage_recipes


def test_epochs_stand_for_five_of_the_papers():
    recipes = study_recipes(Path("runs/domains"), 100, 3)
    mixed, mdpn = recipes["Mixed"], recipes["MDPN"]
    assert (mixed.epochs * 5, [5 * drop for drop in mixed.drops]) == (140, [90, 120])
    stages = stage_recipes(mdpn)
    assert [5 * stage.epochs for stage in stages] == [120, 15, 20]
    assert 5 * stages[0].mining_from == 100 and mdpn.heads == "separate"
    transfer = recipes["COCO -> PoseTrack + MPII"]
    assert transfer.init == recipes["COCO"].output / "coco" / "last.keras"
    assert transfer.heads == "shared" and len(transfer.datasets) == 2
    assert {recipe.seed for recipe in recipes.values()} == {3}


def test_every_row_of_the_papers_table_is_evaluated():
    recipes = study_recipes(Path("runs/domains"), 100, 0)
    models = [model for item in recipes.items() for model in trained_models(*item)]
    assert len(models) == 6 + 5 + 5  # strategies, branches without and with fine-tuning
    heads = {label: head for label, _, head in models[:6]}
    assert heads["COCO"] == "coco" and heads["COCO -> PoseTrack"] == "posetrack"
    assert heads["Mixed"] == heads["COCO -> PoseTrack + MPII"] == "pose"
    assert len({path for _, path, _ in models}) == 8


def test_parts_of_the_body():
    wrists = part_of(PARTS["wrist"])
    assert wrists.flip == (1, 0) and wrists.sigmas == (0.062, 0.062)
    assert part_of(PARTS["all"]).flip == POSETRACK.flip and len(PARTS["limbs"]) == 12


def test_table():
    row = {"strategy": "Mixed", "heads": "pose", "wrist": 1.0, "ankle": 20.5, "limbs": 3, "all": 4}
    assert line(row).split() == ["Mixed", "pose", "1.0", "20.5", "3.0", "4.0"]
    assert [len(text) for text in table([row]).splitlines()] == [len(line(row))] * 2
