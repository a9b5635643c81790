"""Train a top-down pose network: Simple Baselines, MDPN, stacked hourglass.

python scripts/train_topdown.py
    the demo on synthetic people

python scripts/train_topdown.py simple-baselines-r50 --data COCO_FOLDER
    a row of a paper's table

python scripts/train_topdown.py small --datasets coco:FOLDER mpii:FOLDER --heads separate
    a head for each data set; --heads shared is one head over the union of their keypoints

python scripts/train_topdown.py small --datasets hands=coco:FOLDER --init runs/A/best.keras
    transfer; any data set in COCO layout brings its own keypoints

python scripts/train_topdown.py mdpn-r50 --datasets coco:FOLDER mpii:FOLDER posetrack:FOLDER
    MDPN's three stages: all data sets, COCO, then the other heads with the rest frozen

With --epoch-steps 1000 the held-out people are evaluated, and best.keras chosen, every 1,000 steps.

The same command again resumes. Each run folder holds recipe.json, log.csv, last.keras, best.keras.
"""

import dataclasses

from posekit.commands import recipe_from_command_line, run
from topdown.recipes import TOPDOWN_RECIPES


def main() -> int:
    """Reads a recipe from the command line and trains it."""
    name, recipe = recipe_from_command_line(TOPDOWN_RECIPES, __doc__)
    recipe = dataclasses.replace(recipe, name=recipe.name or f"topdown-{name}")
    from topdown.train import train_topdown  # late: --help answers at once

    return train_topdown(recipe)


if __name__ == "__main__":
    run(main)
