"""Train the person detector of MultiPoseNet on the frozen backbone of a keypoint run.

python scripts/train_detector.py                                    on the run of the keypoint demo
python scripts/train_detector.py detector-r50 --data COCO_FOLDER    a row of the paper's Table 5
python scripts/train_detector.py detector-small --keypoint-run FILE.keras --data COCO_FOLDER
The same command again resumes. Each run folder holds recipe.json, log.csv, last.keras, best.keras.
"""

import dataclasses

from multiposenet.detector_recipes import DETECTOR_RECIPES
from posekit.commands import recipe_from_command_line, run


def main() -> int:
    """Reads a recipe from the command line and trains it."""
    name, recipe = recipe_from_command_line(DETECTOR_RECIPES, __doc__)
    recipe = dataclasses.replace(recipe, name=recipe.name or name)
    from multiposenet.train_detector import train_detector  # late: --help answers at once

    return train_detector(recipe)


if __name__ == "__main__":
    run(main)
