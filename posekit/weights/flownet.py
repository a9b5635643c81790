"""Reads FlowNet2-S checkpoints of flownet2-pytorch into the network of `tracking.flownet`."""

import re
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from posekit.weights.torchvision import (
    Source,
    Tensors,
    colours_of,
    layer_tensors,
    load_tensors,
    rename,
)

# A convolution or deconvolution and its leaky ReLU are one sequence there; predictions of flow and
# their enlargement stand alone.
_SEQUENCE = re.compile(r"(conv\d(_1)?|deconv\d)$")


def load_flownet(model: keras.Model, source: Source, order: Sequence[int] | None = None) -> None:
    """Loads a FlowNet2-S checkpoint, and sets its colour order.

    Either every tensor of the model is set, or none. "module." before all names is ignored, and so
    is what a training checkpoint holds beside the state dict. Networks with batch normalisation
    are refused by their first tensor: FlowNet2 has none.

    Args:
        model: from `tracking.flownet.flownet_s`.
        source: path of a torch file or of an .npz, or a dict from name to array: "conv1.0.weight",
            "predict_flow6.weight", "upsampled_flow6_to_5.weight", "deconv5.0.weight" and so on.
        order: colour order of the checkpoint, three indices into R, G, B; None: what the source
            says, else RGB. Pixel values are divided by 255, and the means are those of the pair.

    Raises:
        ValueError: names the first tensor that is missing, of another shape, not finite or
            unexpected; or says why the model or the file cannot be used.

    Reference: Ilg et al. 2017; the layout is that of NVIDIA's flownet2-pytorch.
    """
    colours = colours_of(model)
    divided = {"mean": (0, 0, 0), "std": (255, 255, 255)}
    load_tensors(expected_flow_tensors(model), colours, source, order, **divided)


def expected_flow_tensors(model: keras.Model) -> Tensors:
    """Lists what the network needs from a checkpoint, as `torchvision.expected_tensors` does."""
    modules = ((layer, layer.name) for layer in model.layers)
    modules = ((lay, f"{name}.0" if _SEQUENCE.match(name) else name) for lay, name in modules)
    return [tensor for pair in modules for tensor in layer_tensors(*pair)]


def width_of(state: Mapping[str, np.ndarray]) -> int:
    """Tells from the first convolution how wide the network of a checkpoint is.

    Args:
        state: from `posekit.weights.state_dicts.read_state`.

    Raises:
        ValueError: there is no such convolution of two RGB pictures.
    """
    shape = np.shape(rename(state).get("conv1.0.weight"))
    if len(shape) != 4 or shape[1:] != (6, 7, 7) or not shape[0]:
        raise ValueError(
            "expected a FlowNet2-S checkpoint with 'conv1.0.weight' of shape (64, 6, 7, 7), "
            f"received {shape or 'none'} among {len(state)} tensors"
        )
    return shape[0]
