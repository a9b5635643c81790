import dataclasses

import pytest

from posekit.commands import UsageError
from posekit.recipe_limits import LIMITS, check_numbers
from posekit.recipes import TrainingRecipe

RECIPE = TrainingRecipe()


def test_the_defaults_are_within_the_limits():
    check_numbers(RECIPE)
    assert set(LIMITS) <= {field.name for field in dataclasses.fields(TrainingRecipe)}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("epochs", 0, "--epochs: expected at least 1, received 0"),
        ("steps", 0, "--steps: expected at least 1, received 0"),
        ("validate_every", 0, "--validate-every: expected at least 1"),
        ("eval_images", -1, "--eval-images: expected at least 1"),
        ("train_images", 0, "--train-images: expected at least 1"),
        ("learning_rate", float("nan"), "--learning-rate: expected a finite number from 0 on"),
        ("clip_norm", 0.0, "--clip-norm: expected a finite number above 0, received 0.0"),
        ("input_timeout", -1.0, "--input-timeout: expected a finite number above 0"),
        ("learning_rate", float("inf"), "received inf"),
        ("learning_rate", -1e-9, "received -1e-09"),
        ("ema", 1.0, "--ema: expected 0 to 0.9999999"),
        ("bad_images", float("nan"), "--bad-images: expected 0 to 1, received nan"),
        ("seed", -1, "--seed: expected 0 to 4294967295, received -1"),
        ("seed", 2**32, "received 4294967296"),
        ("drops", (3, 1), r"--drops: expected rising numbers above 0, received \(3, 1\)"),
        ("drop_steps", (0, 1), "--drop-steps: expected rising numbers above 0"),
    ],
)
def test_what_no_training_can_use_is_refused(name, value, said):
    with pytest.raises(UsageError, match=said) as caught:
        check_numbers(dataclasses.replace(RECIPE, **{name: value}))
    assert caught.value.exit_code == 2


def test_what_stands_for_none_and_the_limits_themselves_are_taken():
    options = dict(checkpoint_steps=0, threads=0, ema=0.9999, bad_images=1, drops=(1, 2), epochs=1)
    check_numbers(dataclasses.replace(RECIPE, **options))
    check_numbers(dataclasses.replace(RECIPE, steps=None, ema=None, clip_norm=None, threads=None))
