"""Imports point one way, what must answer at once stays free of TensorFlow, files have names."""

import ast
import dataclasses
import functools
import subprocess
import sys
from pathlib import Path

import pytest
from script_runs import HEAVY

ROOT = Path(__file__).parents[1]
ROOMS = ("multiposenet", "topdown", "tracking")
PACKAGES = ("posekit", *ROOMS)
NUMPY_ONLY = ("skeletons", "poses", "boxes", "affine", "heatmaps", "oks")
NOT_A_NAME = {"utils", "common", "misc", "helpers", "core"}
# Inside posekit, from lower to higher; each module or package is in one group.
GROUPS = (
    {"atomic_files", "regular_files", "archives", "npz_files"}
    | {"gzip_files", "strict_json", "json_lists", "skeleton_definition", "skeletons"}
    | {"poses", "boxes", "affine", "orientation", "decoding", "peaks", "graph_peaks", "heatmaps"}
    | {"oks", "graph_decoding", "frames"},
    {"image_headers", "images", "graph_images", "video", "datasets", "augment", "crops"},
    {"colours", "convolution", "normalization", "resnet", "mobilenet", "vgg", "losses"},
    {"commands", "compute", "metrics", "weights", "backbones", "backends"}
    | {"draw", "draw_boxes", "draw_tracks"}
    | {"recipes", "recipe_limits", "recipe_training", "training"}
    | {"checkpoints", "half_precision", "loop"}
    | {"export", "reloading", "warm_up", "model_files", "photos"}
    | {"model_loading", "downloads", "https_requests"}
    | {"published_files", "recorded_downloads", "requirements"}
    | {"export_command", "detections", "box_merging", "ledger"},
)


@dataclasses.dataclass(frozen=True)
class Module:
    """The dotted names a file imports: anywhere in it, and already when it is imported."""

    anywhere: frozenset[str]
    early: frozenset[str]


def read_modules(root: Path) -> dict[str, Module]:
    """Maps "posekit.boxes" to what it imports; scripts are "scripts.NAME"."""
    files = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    files += (root / "scripts").glob("*.py")
    return {module_name(path, root): read_module(path, root) for path in files}


def module_name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def read_module(path: Path, root: Path) -> Module:
    package = path.relative_to(root).parent.parts
    tree = ast.parse(path.read_text("utf-8"), path.name)
    early = frozenset(name for node in early_nodes(tree) for name in names_of(node, package))
    anywhere = frozenset(name for node in ast.walk(tree) for name in names_of(node, package))
    return Module(anywhere, early)


def early_nodes(node: ast.AST):
    """Walks what runs on import: not the bodies of functions, nor what only type checkers see."""
    yield node
    skipped = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        skipped = True
    for child in () if skipped else ast.iter_child_nodes(node):
        yield from early_nodes(child)


def names_of(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else ()
        stem = ".".join((*base, *filter(None, [node.module])))
        return [f"{stem}.{alias.name}" for alias in node.names]
    return []


def group(module: str) -> int | None:
    name = module.split(".")[1] if "." in module else "skeletons"
    return next((level for level, names in enumerate(GROUPS) if name in names), None)


def may_import(importer: str, imported: str) -> bool:
    source, target = importer.split(".")[0], imported.split(".")[0]
    if target not in (*PACKAGES, "scripts"):
        return True
    if source == target == "posekit":
        levels = group(imported), group(importer)
        return None in levels or levels[0] <= levels[1]
    return source in (target, "scripts") or target == "posekit"


def direction_faults(modules: dict[str, Module]) -> list[str]:
    return [
        f"{importer} imports {imported}"
        for importer, module in sorted(modules.items())
        for imported in sorted(module.anywhere)
        if not may_import(importer, imported)
    ]


def heavy_path(modules: dict[str, Module], start: str) -> list[str]:
    """Returns the chain of early imports from a module to TensorFlow or Keras, else nothing."""
    waiting, seen = [[start]], {start}
    while waiting:
        chain = waiting.pop()
        for name in sorted(modules[chain[-1]].early):
            if name.split(".")[0] in HEAVY:
                return [*chain, name]
            parts = name.split(".")
            run = {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & modules.keys()
            waiting += [[*chain, module] for module in sorted(run - seen)]
            seen |= run
    return []


def is_light(module: str) -> bool:
    """True for what must import without TensorFlow."""
    vocabulary = module in {f"posekit.{name}" for name in NUMPY_ONLY}
    return vocabulary or module.endswith(".recipes") or module.startswith("scripts.")


def ungrouped(modules: dict[str, Module]) -> list[str]:
    ours = (module for module in sorted(modules) if module.split(".")[0] == "posekit")
    return [module for module in ours if group(module) is None]


@functools.cache
def ours() -> dict[str, Module]:
    return read_modules(ROOT)


def test_imports_point_one_way():
    assert direction_faults(ours()) == []


def test_every_module_of_posekit_is_in_a_group():
    assert ungrouped(ours()) == []  # a new one: put it into GROUPS


@pytest.mark.parametrize("module", sorted(filter(is_light, ours())))
def test_no_tensorflow_before_it_is_needed(module):
    assert heavy_path(ours(), module) == []


def test_light_modules_import_where_tensorflow_cannot():
    # Also catches imports that the syntax does not show, such as those of other packages.
    program = f"""
import importlib, runpy, sys
sys.path.insert(0, {str(ROOT)!r})
sys.modules.update(dict.fromkeys({sorted(HEAVY)!r}))
for name in {sorted(filter(is_light, ours()))!r}:
    if name.startswith("scripts."):
        runpy.run_path({str(ROOT)!r} + "/" + name.replace(".", "/") + ".py", run_name="imported")
    else:
        importlib.import_module(name)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_every_file_has_a_name():
    modules = {part for module in ours() for part in module.split(".")}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests").rglob("*")}
    assert (modules | tests) & NOT_A_NAME == set()


BROKEN = {
    "posekit/__init__.py": "",
    "posekit/boxes.py": "def f():\n    from tracking import flow",
    "posekit/oks.py": "from . import training",
    "posekit/training.py": "import tensorflow as tf\nfrom .boxes import f",
    "posekit/images.py": "if TYPE_CHECKING:\n    import keras\ndef f():\n    import keras",
    "posekit/datasets/__init__.py": "from posekit.images import f",
    "posekit/datasets/coco.py": "from ..resnet import f\nfrom .. import boxes\nfrom . import mpii",
    "posekit/resnet.py": "import keras.layers",
    "posekit/newcomer.py": "",
    "multiposenet/__init__.py": "from posekit import images",
    "multiposenet/recipes.py": "try:\n    from posekit.oks import f\nexcept ImportError:\n    pass",
    "topdown/model.py": "import multiposenet.model\nimport posekit.resnet",
    "tracking/__init__.py": "",
    "tracking/recipes.py": "from posekit import datasets, images",
    "scripts/run.py": "import tracking.recipes\ndef main():\n    import topdown.model",
    "scripts/slow.py": "class A:\n    from posekit.resnet import f",
}


@pytest.fixture
def broken(tmp_path):
    for name, text in BROKEN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return read_modules(tmp_path)


def test_the_rules_find_imports_in_the_wrong_direction(broken):
    assert direction_faults(broken) == [
        "posekit.boxes imports tracking.flow",
        "posekit.datasets.coco imports posekit.resnet.f",
        "posekit.oks imports posekit.training",
        "topdown.model imports multiposenet.model",
    ]


def test_the_rules_find_a_module_without_group(broken):
    assert ungrouped(broken) == ["posekit.newcomer"]


def test_the_rules_find_early_imports_of_tensorflow(broken):
    found = {module: heavy_path(broken, module) for module in filter(is_light, broken)}
    oks = ["posekit.oks", "posekit.training", "tensorflow"]
    assert found == {
        "posekit.boxes": [],
        "posekit.oks": oks,
        "multiposenet.recipes": ["multiposenet.recipes", *oks],
        "tracking.recipes": [],
        "scripts.run": [],
        "scripts.slow": ["scripts.slow", "posekit.resnet", "keras.layers"],
    }
