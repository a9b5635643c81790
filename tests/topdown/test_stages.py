import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tiny_topdown import random_network

import topdown.train
from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic_domain_folder import write_domain
from posekit.loop.runs import RunError
from posekit.skeletons import COCO, MPII, POSETRACK
from topdown.prediction import load_topdown
from topdown.recipe import FineTuning, TopDownRecipe
from topdown.stages import is_finished, stage_recipes
from topdown.train import report, train_topdown

ROOT = Path(__file__).parents[2]
THREE = {"coco": COCO, "mpii": MPII, "posetrack": POSETRACK}
MDPN = TopDownRecipe(
    name="mdpn",
    datasets=("coco:a", "mpii:b", "posetrack:c"),
    heads="separate",
    epochs=120,
    drops=(90,),
    mining_from=100,
    fine_tuning=FineTuning("coco"),
)


def test_the_stages_of_the_paper():
    joint, coco, heads = stage_recipes(MDPN)
    assert [stage.name for stage in (joint, coco, heads)] == [
        "mdpn/joint",
        "mdpn/coco",
        "mdpn/heads",
    ]
    assert (joint.epochs, joint.learning_rate, joint.drops, joint.mining_from) == (
        120,
        1e-3,
        (90,),
        100,
    )
    assert (coco.epochs, coco.learning_rate, coco.drops, coco.mining_from) == (15, 1e-4, (), 0)
    assert (heads.epochs, heads.learning_rate, heads.drops, heads.mining_from) == (
        20,
        1e-4,
        (10,),
        0,
    )
    assert (joint.only, coco.only, heads.only) == ((), ("coco",), ("mpii", "posetrack"))
    assert (joint.frozen, coco.frozen, heads.frozen) == ((), (), ("coco",))
    assert coco.init == Path("runs/mdpn/joint/last.keras")
    assert heads.init == Path("runs/mdpn/coco/last.keras")
    assert all(stage_recipes(stage) == [stage] for stage in (joint, coco, heads))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": (0, 5)}, "--fine-tuning.epochs: expected at least 1, received 0"),
        ({"epochs": (5, -1)}, "--fine-tuning.epochs: expected at least 1, received -1"),
        ({"learning_rate": float("nan")}, "--fine-tuning.learning-rate: .* received nan"),
        ({"drops": (10, 3)}, "--fine-tuning.drops: expected rising numbers"),
    ],
)
def test_numbers_of_later_stages_are_looked_at_before_the_first(changes, message):
    tuned = dataclasses.replace(MDPN.fine_tuning, **changes)
    with pytest.raises(UsageError, match=message):
        stage_recipes(dataclasses.replace(MDPN, fine_tuning=tuned))


def test_without_mining_the_fine_tuning_does_not_mine_either():
    stages = stage_recipes(dataclasses.replace(MDPN, mining_from=None, steps=500))
    assert [stage.mining_from for stage in stages] == [None] * 3
    assert [stage.steps for stage in stages] == [500, None, None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fine_tuning": FineTuning("hands")}, "received 'hands' out of"),
        ({"datasets": ("coco:a",)}, "one of several --datasets"),
        ({"heads": "shared"}, "--heads separate"),
        ({"only": ("coco",)}, "no --only"),
    ],
)
def test_fine_tuning_that_does_not_fit(changes, message):
    with pytest.raises(UsageError, match=message):
        stage_recipes(dataclasses.replace(MDPN, **changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("stages")
    for name in THREE:
        for split, count in (("train", 4), ("val", 2)):
            write_domain(root / name, name, split, count, side=64)
    return root


def tiny(data: Path, output: Path, **changes) -> TopDownRecipe:
    options = dict(network="mdpn", backbone="resnet18-half", backbone_weights="none", filters=8)
    options |= dict(size=(32, 32), epochs=1, epoch_steps=1, batch_size=4, drops=(), mining_from=0)
    options |= dict(fine_tuning=FineTuning("coco", (1, 1), 1e-2), name="tiny", heads="separate")
    words = tuple(f"{name}=coco:{data / name}" for name in THREE)
    return TopDownRecipe(datasets=words, output=output, **options | changes)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The three stages of one step each, without the evaluations; (recipe, what was trained)."""
    recipe, runs = tiny(data, tmp_path_factory.mktemp("runs")), []
    with pytest.MonkeyPatch.context() as patch:
        scores = SimpleNamespace(metrics={"AP": 0.5, "AP50": 0.5}, images={"evaluated": 2})
        patch.setattr(
            topdown.train, "evaluate", lambda m, r, held_out, **_: dict.fromkeys(held_out, scores)
        )
        patch.setattr(topdown.train, "draw_people", lambda *_: np.zeros((8, 8, 3), np.uint8))
        stage, training = topdown.train.train_stage, []
        patch.setattr(
            topdown.train, "train_stage", lambda r, s: (training.append(r.name), stage(r, s))
        )
        for _ in range(2):
            train_topdown(recipe)
            runs.append(training.copy())
    return recipe, runs


def test_finished_stages_are_passed_over(trained):
    recipe, runs = trained
    three = ["tiny/joint", "tiny/coco", "tiny/heads"]
    assert runs == [three, three]
    best = (recipe.output / "tiny" / "best.keras").read_bytes()
    assert best == (recipe.output / "tiny" / "heads" / "best.keras").read_bytes()
    assert json.loads((recipe.output / "tiny" / "metrics.json").read_text())["metrics"]["ap"] == 0.5


def test_the_frozen_head_says_the_same_to_the_bit(trained):
    recipe, _ = trained
    joint, coco, heads = (
        load_topdown(recipe.output / "tiny" / stage / "last.keras")
        for stage in ("joint", "coco", "heads")
    )
    crops = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    one, two, three = (model(crops, training=False) for model in (joint, coco, heads))
    for name in ("coco", "coco.intermediate"):
        np.testing.assert_array_equal(two[name], three[name])
        assert (np.asarray(one[name]) != np.asarray(two[name])).any()  # the whole net was tuned
    for name in ("mpii", "posetrack"):
        assert (np.asarray(two[name]) != np.asarray(three[name])).any()
    for name in ("head_mpii", "head_posetrack"):  # nothing of COCO's reaches the other heads
        pairs = zip(joint.get_layer(name).weights, coco.get_layer(name).weights, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_a_finished_stage_of_another_recipe_is_refused(trained):
    recipe, _ = trained
    joint = stage_recipes(recipe)[0]
    assert is_finished(joint) and not is_finished(dataclasses.replace(joint, name="other"))
    with pytest.raises(RunError, match=r"learning_rate: 0.001 -> 0.01"):
        is_finished(dataclasses.replace(joint, learning_rate=1e-2))


@pytest.mark.parametrize("content", ["[]", '{"settings": {"recipe": [1]}}', "[" * 100_000])
def test_a_finished_stage_without_its_recipe_is_refused(tmp_path, content):
    (tmp_path / "mdpn").mkdir()
    (tmp_path / "mdpn" / "metrics.json").touch()
    (tmp_path / "mdpn" / "recipe.json").write_text(content)
    with pytest.raises(RunError, match="recipe.json to be JSON with the settings"):
        is_finished(dataclasses.replace(MDPN, output=tmp_path))


def test_a_moved_output_is_gone_on_with_inside_a_stage(trained, tmp_path):
    recipe, _ = trained
    shutil.copytree(recipe.output, tmp_path / "moved")
    moved = dataclasses.replace(recipe, output=tmp_path / "moved")
    (moved.output / "tiny" / "heads" / "metrics.json").unlink()
    reported = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topdown.train, "report", lambda run_dir, *_: reported.append(run_dir.name))
        train_topdown(moved)
    assert reported == ["heads", "tiny"]


def test_the_report_counts_the_images_that_were_evaluated(tmp_path):
    write_domain(tmp_path, "coco", "val", 3, side=64)
    held_out = load_coco(tmp_path, "val")
    held_out.path(1).write_bytes(b"no picture")
    random_network("coco").save(tmp_path / "best.keras")
    report(tmp_path, TopDownRecipe(bad_images=0.5), {"coco": held_out})
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["protocol"]["images"] == {"coco": 2}


def start(data: Path, output: Path) -> subprocess.Popen:
    """The script on the same data: joint 3 epochs, COCO 2, heads 2, of two steps."""
    words = ["demo", "--datasets", *(f"{name}=coco:{data / name}" for name in THREE)]
    words += ["--heads", "separate", "--network", "mdpn", "--filters", 8, "--size", 32, 32]
    words += ["--epochs", 3, "--epoch-steps", 2, "--batch-size", 4, "--eval-images", 2]
    words += ["--checkpoint-steps", 1, "--mining-from", 2, "--threads", 1, "--deterministic"]
    words += ["--fine-tuning.domain", "coco", "--fine-tuning.epochs", 2, 2]
    words += ["--fine-tuning.drops", 1, "--name", "tiny", "--output", output]
    command = [sys.executable, ROOT / "scripts" / "train_topdown.py", *words]
    log = (output / "log.txt").open("a")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=environment, stdout=log, stderr=log
    )


@pytest.mark.slow
def test_killed_in_and_between_stages_it_ends_as_if_nothing_had_happened(data, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    assert start(data, whole).wait(timeout=1200) == 0
    run = broken / "tiny"
    for reached in ("joint/checkpoints/*", "joint/metrics.json", "coco/log.csv", "heads/log.csv"):
        process = start(data, broken)
        deadline = time.monotonic() + 600
        while not list(run.glob(reached)):
            assert process.poll() is None and time.monotonic() < deadline, reached
            time.sleep(0.02)
        process.kill()
        process.wait()
    assert not (run / "best.keras").exists()
    assert start(data, broken).wait(timeout=1200) == 0
    for name in ("joint/last.keras", "coco/last.keras", "heads/last.keras", "best.keras"):
        one, other = (
            keras.saving.load_model(f / "tiny" / name, compile=False) for f in (whole, broken)
        )
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
