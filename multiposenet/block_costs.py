"""Parameters and multiply-accumulates of MultiPoseNet by block: Figure 7 of the paper."""

import dataclasses
import math
import re

import keras

from posekit.compute import count_macs

PATTERNS = {
    "keypoint FPN": r"K\d_(lateral|topdown|merged|smooth)",
    "keypoint subnet": r"D\d?_.*|K\d_(maps|up)|maps",
    "detection FPN": r"P\d(_.*)?|C\d_every_\d+",
    "detection heads": r"(class|box)_.*",
}
"""Names of the layers that each block adds to the backbone."""
BLOCKS = ("backbone", *PATTERNS, "PRN")


@dataclasses.dataclass(frozen=True)
class BlockCost:
    """What one block costs."""

    parameters: int
    """Weights, those that are not trained included."""
    macs: int
    """Multiply-accumulates of one image; of the PRN, of one person."""


def block_costs(
    networks: keras.Model, prn: keras.Model, size: tuple[int, int]
) -> dict[str, BlockCost]:
    """Counts without running anything.

    Args:
        networks: image to "heatmaps", "mask", "class_logits" and "box_deltas", with the layer names
            of this package's networks; models within models are looked into.
        prn: see `prn.prn`.
        size: network input (height, width) in pixels.

    Returns:
        BLOCKS in their order -> cost.
    """
    parameters, macs = (dict.fromkeys(BLOCKS, 0) for _ in range(2))
    for layer in leaves(networks):
        parameters[block_of(layer.name)] += layer.count_params()
    for operation, count in count_macs(networks, size).items():
        macs[block_of(operation)] += count
    parameters["PRN"] = prn.count_params()
    macs["PRN"] = sum(dense_macs(layer) for layer in leaves(prn))
    return {name: BlockCost(parameters[name], macs[name]) for name in BLOCKS}


def block_of(name: str) -> str:
    """Tells the block by the name of a layer, or of a graph operation, "networks/K2_smooth/..."."""
    for part in name.split("/"):
        for block, pattern in PATTERNS.items():
            if re.fullmatch(rf"(?:{pattern})(?:_\d+)?", part):  # Keras numbers names used before
                return block
    return "backbone"


def leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """Lists the layers of a model and of the models in it, each once."""
    found = {}
    for layer in model.layers:
        for leaf in leaves(layer) if isinstance(layer, keras.Model) else (layer,):
            found[id(leaf)] = leaf
    return list(found.values())


def dense_macs(layer: keras.layers.Layer) -> int:
    """Multiply-accumulates of one person in a dense layer; 0 for any other layer."""
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape) * math.prod(layer.input.shape[1:-1])
    if not isinstance(layer, keras.layers.EinsumDense):
        return 0
    inputs, kernel, _ = re.split("->|,", layer.equation)
    sides = dict(zip(kernel, layer.kernel.shape, strict=True))
    sides |= dict(zip(inputs[1:], layer.input.shape[1:], strict=True))
    return math.prod(sides.values())


def cost_table(costs: dict[str, BlockCost], size: tuple[int, int]) -> str:
    """Writes the costs for the eye, with sums for an image of one person and of twenty."""
    height, width = size
    lines = [f"{'block':16s} {'parameters':>12s}   GMAC at {height}x{width}"]
    for name, cost in costs.items():
        unit = " a person" if name == "PRN" else ""
        lines.append(f"{name:16s} {cost.parameters / 1e6:10.2f} M {cost.macs / 1e9:10.3f}{unit}")
    parameters = sum(cost.parameters for cost in costs.values())
    for people, word in ((1, "1 person"), (20, "20 people")):
        macs = image_macs(costs, people)
        lines.append(f"{'all, ' + word:16s} {parameters / 1e6:10.2f} M {macs / 1e9:10.3f}")
    return "\n".join(lines)


def image_macs(costs: dict[str, BlockCost], people: int) -> int:
    """Multiply-accumulates of an image with so many people."""
    per_image = sum(cost.macs for cost in costs.values()) - costs["PRN"].macs
    return per_image + people * costs["PRN"].macs
