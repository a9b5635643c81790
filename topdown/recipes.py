"""Recipes of the top-down systems by name: two for everyday machines, and the papers' rows.

Imports no TensorFlow, so that `--help` answers at once.
"""

from posekit.datasets.synthetic_folder import SyntheticFolder
from topdown.enhanced_recipes import ENHANCED_RECIPES
from topdown.hourglass_recipes import HOURGLASS_RECIPES
from topdown.mdpn_recipes import MDPN_RECIPES
from topdown.recipe import TopDownRecipe
from topdown.simple_baselines_recipes import SIMPLE_BASELINES_RECIPES

_DEMO = TopDownRecipe(
    synthetic=SyntheticFolder(train=3000, val=100, people=(1, 2), heights=(0.6, 1.0), crowding=0.0),
    backbone="resnet18-half",
    backbone_weights="none",
    filters=64,
    size=(160, 128),
    sigma=1.5,
    scale=(0.85, 1.15),
    rotation=15.0,
    batch_size=16,
    epochs=40,
    learning_rate=2e-3,
    schedule="cosine",
    validate_every=5,
    eval_images=100,
)

TOPDOWN_RECIPES: dict[str, tuple[str, TopDownRecipe]] = {
    "demo": ("Small network on synthetic people; minutes on two cores.", _DEMO),
    "small": (
        "MobileNetV2 with narrow deconvolutions, for training on real images without a GPU.",
        TopDownRecipe(
            backbone="mobilenet_v2",
            filters=128,
            size=(192, 144),
            sigma=1.5,
            colour=0.2,
            batch_size=16,
            epochs=26,
            learning_rate=8e-4,
            schedule="cosine",
            ema=0.999,
        ),
    ),
    **SIMPLE_BASELINES_RECIPES,
    **MDPN_RECIPES,
    **ENHANCED_RECIPES,
    **HOURGLASS_RECIPES,
}
"""Name -> (one line about it, the recipe)."""
