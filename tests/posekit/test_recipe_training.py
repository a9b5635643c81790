import dataclasses
import resource

import numpy as np
import pytest

from posekit.atomic_files import WriteError
from posekit.backbones import initialise, make_backbone
from posekit.commands import UsageError
from posekit.images import read_image
from posekit.recipe_training import (
    Plateau,
    make_callbacks,
    make_optimizer,
    plan_epochs,
    write_picture,
)
from posekit.recipes import TrainingRecipe

RECIPE = TrainingRecipe(batch_size=6, epochs=80)


@pytest.mark.parametrize(
    ("options", "examples", "expected"),
    [
        ({}, 64_115, (10_685, 80)),
        ({"steps": 20}, 1865, (20, 1)),  # less than one pass
        ({"steps": 7}, 18, (3, 3)),  # 3 steps a pass: 7 becomes 3 epochs of 3
        ({"steps": 199}, 12, (2, 100)),
        ({"epoch_steps": 50, "steps": 600}, 8, (50, 12)),
        ({}, 2, (1, 80)),  # fewer images than a batch
    ],
)
def test_epochs_and_steps(options, examples, expected):
    assert plan_epochs(dataclasses.replace(RECIPE, **options), examples) == expected


def rate_after(step, **options):
    recipe = dataclasses.replace(RECIPE, **options)
    optimizer = make_optimizer(recipe, steps_per_epoch=10, epochs=100)
    schedule = getattr(optimizer, "_learning_rate", None)
    return float(schedule(step)) if callable(schedule) else float(optimizer.learning_rate)


def test_schedules_by_hand():
    assert rate_after(999) == pytest.approx(1e-4)
    assert rate_after(999, schedule="step") == pytest.approx(1e-4)  # no drops
    steps = {"schedule": "step", "drops": (90, 95)}
    rates = [rate_after(step, **steps) for step in (900, 901, 951)]
    np.testing.assert_allclose(rates, [1e-4, 1e-5, 1e-6], rtol=1e-5)
    # Cosine over 1,000 steps: 100 of warm-up from a tenth, then half way down at 100 + 450.
    rates = [rate_after(step, schedule="cosine") for step in (0, 100, 550, 1000)]
    np.testing.assert_allclose(rates, [1e-5, 1e-4, 5e-5, 0], atol=1e-9)


def test_drops_may_be_given_in_steps():
    rates = [rate_after(step, schedule="step", drop_steps=(40, 60)) for step in (40, 41, 61)]
    np.testing.assert_allclose(rates, [1e-4, 1e-5, 1e-6])


def test_each_optimizer_takes_its_options():
    def make(**options):
        return make_optimizer(dataclasses.replace(RECIPE, **options), 10, 2)

    sgd = make(optimizer="sgd", momentum=0.8, weight_decay=5e-4, schedule="step")
    assert sgd.momentum == 0.8
    assert sgd.weight_decay == pytest.approx(5e-4 / (1 - 0.8))  # what momentum makes of 5e-4
    assert type(make(optimizer="rmsprop")).__name__ == "RMSprop"
    assert type(make()).__name__ == "Adam" and make().weight_decay is None
    assert make(epsilon=1e-8).epsilon == make(optimizer="rmsprop", epsilon=1e-8).epsilon == 1e-8


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    picture = np.zeros((40, 50, 3), np.uint8)
    picture[..., 0] = 200
    write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)
    before = (tmp_path / "a.png").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))  # writing more raises OSError
    try:
        with pytest.raises(WriteError, match="could not write a.png"):
            write_picture(tmp_path / "a.png", picture)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "a.png").read_bytes() == before


def test_plateau_counts_evaluations_only():
    (plateau,) = make_callbacks(dataclasses.replace(RECIPE, patience=2))
    assert (
        isinstance(plateau, Plateau)
        and make_callbacks(dataclasses.replace(RECIPE, schedule="cosine")) == []
    )
    plateau.on_train_begin()
    plateau.on_epoch_end(0, {"loss": 1.0})
    assert plateau.wait == 0


def test_a_dilated_backbone_keeps_the_stride_of_stage_four():
    for name in ("resnet18-half", "mobilenet_v2"):
        model, strides = make_backbone(name, dilate=True)
        assert strides == (4, 8, 16, 16)
        sides = [
            model(np.zeros((1, 64, 64, 3), np.uint8))[level].shape[1] for level in ("C4", "C5")
        ]
        assert sides == [4, 4]


@pytest.mark.parametrize("weights", ["nowhere.npz", "imagenet"])
def test_weights_that_are_not_there_are_named(weights):
    model, _ = make_backbone("resnet18-half")
    with pytest.raises(UsageError, match=weights):
        initialise(model, "resnet18-half", weights)
