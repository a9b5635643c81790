"""Train the Pose Residual Network of MultiPoseNet, from annotations alone.

python scripts/train_prn.py                                    the demo recipe on synthetic people
python scripts/train_prn.py prn-1x1024-d-r --data COCO_FOLDER  a row of the paper's Table 3
python scripts/train_prn.py prn-small --data PEOPLE.npz --val-data VAL.json.gz
The same command again resumes. Each run folder holds recipe.json, log.csv, last.keras, best.keras.
"""

import dataclasses

from multiposenet.prn_recipes import PRN_RECIPES
from posekit.commands import recipe_from_command_line, run


def main() -> int:
    """Reads a recipe from the command line and trains it."""
    name, recipe = recipe_from_command_line(PRN_RECIPES, __doc__)
    recipe = dataclasses.replace(recipe, name=recipe.name or name)
    from multiposenet.train_prn import train_prn  # late: --help answers at once

    return train_prn(recipe)


if __name__ == "__main__":
    run(main)
