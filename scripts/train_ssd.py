"""Train SSD to find people, the detector of the SCUT-Samsung report.

python scripts/train_ssd.py                      synthetic people, minutes on two cores
python scripts/train_ssd.py ssd300-posetrack --datasets posetrack:PT --val-dataset posetrack:PT:val
python scripts/train_ssd.py ssd512-coco --datasets coco:C:train2017 --val-dataset coco:C:val2017
The recipes are rows of the report's tables; several --datasets are trained on together. The same
command again resumes. Each run folder holds recipe.json, log.csv, last.keras, best.keras.
"""

import dataclasses

from posekit.commands import recipe_from_command_line, run
from topdown.ssd_recipes import SSD_RECIPES


def main() -> int:
    """Reads a recipe from the command line and trains it."""
    name, recipe = recipe_from_command_line(SSD_RECIPES, __doc__)
    recipe = dataclasses.replace(recipe, name=recipe.name or name)
    from topdown.train_ssd import train_ssd  # late: --help answers at once

    return train_ssd(recipe)


if __name__ == "__main__":
    run(main)
