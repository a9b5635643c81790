"""Writes flow of FlowNet2-S in plain PyTorch: torch-VERSION-flownet_s_NAME.npz.

python tests/reference/make_flownet_reference.py    (needs torch==2.13.0 and numpy)

Built from the papers: FlowNetSimple (Dosovitskiy et al. 2015, figures 2 and 3) without batch
normalisation, as FlowNet2-S (Ilg et al. 2017) uses it. Weights come from a seed, so each file holds
names and shapes of the state dict, the seed, the image size and every n-th row of the flow. Also
writes a whole training checkpoint, of the narrow network.
"""

from pathlib import Path

import numpy as np
import torch
from seeded_weights import seeded_image, seeded_weights
from torch import nn
from torch.nn.functional import interpolate

FOLDER = Path(__file__).parent
CONVOLUTIONS = {  # name -> channels in units of the width, kernel, stride
    "conv1": (1, 7, 2),
    "conv2": (2, 5, 2),
    "conv3": (4, 5, 2),
    "conv3_1": (4, 3, 1),
    "conv4": (8, 3, 2),
    "conv4_1": (8, 3, 1),
    "conv5": (8, 3, 2),
    "conv5_1": (8, 3, 1),
    "conv6": (16, 3, 2),
    "conv6_1": (16, 3, 1),
}


class FlowNetS(nn.Module):
    def __init__(self, width):
        super().__init__()
        inputs, out = 6, {}
        for name, (channels, kernel, stride) in CONVOLUTIONS.items():
            out[name] = channels * width
            convolution = nn.Conv2d(inputs, out[name], kernel, stride, kernel // 2)
            setattr(self, name, nn.Sequential(convolution, nn.LeakyReLU(0.1)))
            inputs = out[name]
        sizes = {5: (8, "conv5_1"), 4: (4, "conv4_1"), 3: (2, "conv3_1"), 2: (1, "conv2")}
        for level, (channels, joined) in sizes.items():
            setattr(self, f"predict_flow{level + 1}", nn.Conv2d(inputs, 2, 3, 1, 1))
            deconvolution = nn.ConvTranspose2d(inputs, channels * width, 4, 2, 1)
            setattr(self, f"deconv{level}", nn.Sequential(deconvolution, nn.LeakyReLU(0.1)))
            name = f"upsampled_flow{level + 1}_to_{level}"
            setattr(self, name, nn.ConvTranspose2d(2, 2, 4, 2, 1, bias=False))
            inputs = out[joined] + channels * width + 2
        self.predict_flow2 = nn.Conv2d(inputs, 2, 3, 1, 1)

    def forward(self, first, second):
        pair = torch.stack([first, second], dim=1)
        pair = (pair - pair.mean(dim=(1, 3, 4), keepdim=True)) / 255
        x = pair.flatten(1, 2)
        conv2 = self.conv2(self.conv1(x))
        conv3 = self.conv3_1(self.conv3(conv2))
        conv4 = self.conv4_1(self.conv4(conv3))
        conv5 = self.conv5_1(self.conv5(conv4))
        x = self.conv6_1(self.conv6(conv5))
        for level, joined in ((5, conv5), (4, conv4), (3, conv3), (2, conv2)):
            flow = getattr(self, f"predict_flow{level + 1}")(x)
            flow = getattr(self, f"upsampled_flow{level + 1}_to_{level}")(flow)
            x = torch.cat([joined, getattr(self, f"deconv{level}")(x), flow], dim=1)
        flow = self.predict_flow2(x) * 20
        return interpolate(flow, scale_factor=4, mode="bilinear", align_corners=False)


NETWORKS = {"full": (64, (64, 128), 4), "narrow": (1, (128, 192), 4)}
"""Name -> width, image (height, width), row step."""


def save_checkpoint(network, version) -> None:
    """Saves as a training run on two devices would name it."""
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    content = {"arch": "FlowNet2S", "epoch": 3, "state_dict": state, "best_EPE": 1.5}
    path = FOLDER / f"torch-{version}-flownet_s_narrow.pth.tar"
    torch.save(content, path)
    print(f"{path.name} {path.stat().st_size} bytes")


def main() -> None:
    version = torch.__version__.split("+")[0]
    for seed, (name, (width, size, step)) in enumerate(NETWORKS.items(), 40):
        network = FlowNetS(width).eval()
        state = network.state_dict()
        print(name, sum(v.numel() for v in state.values()), "parameters")
        weights = seeded_weights({k: tuple(v.shape) for k, v in state.items()}, seed)
        network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        images = [torch.from_numpy(seeded_image(size, s)).float() for s in (seed, seed + 100)]
        with torch.no_grad():
            flow = network(*(image.permute(0, 3, 1, 2) for image in images))
        flow = flow.permute(0, 2, 3, 1).numpy()[0, ::step]
        print(f"{name} {flow.shape} std {flow.std():.3f} max {abs(flow).max():.3f}")
        facts = dict(names=np.array(list(state)), seed=seed, size=size, step=step)
        facts["shapes"] = np.array([(*v.shape, 1, 1, 1)[:4] for v in state.values()], np.int16)
        facts["dims"] = np.array([v.ndim for v in state.values()], np.int8)
        path = FOLDER / f"torch-{version}-flownet_s_{name}.npz"
        np.savez_compressed(path, **facts, flow=flow)
        print(f"{path.name} {path.stat().st_size} bytes")
        if name == "narrow":
            save_checkpoint(network, version)


if __name__ == "__main__":
    main()
