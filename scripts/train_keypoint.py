"""Train the keypoint and segmentation subnet of MultiPoseNet.

python scripts/train_keypoint.py                                 the demo recipe on synthetic people
python scripts/train_keypoint.py coco-r50 --data COCO_FOLDER     a row of the paper's Table 2
The same command again resumes. Each run folder holds recipe.json, log.csv, last.keras, best.keras.
"""

import dataclasses

from multiposenet.recipes import KEYPOINT_RECIPES
from posekit.commands import recipe_from_command_line, run


def main() -> int:
    """Reads a recipe from the command line and trains it."""
    name, recipe = recipe_from_command_line(KEYPOINT_RECIPES, __doc__)
    recipe = dataclasses.replace(recipe, name=recipe.name or name)
    from multiposenet.train_keypoint import train_keypoint  # late: --help answers at once

    return train_keypoint(recipe)


if __name__ == "__main__":
    run(main)
