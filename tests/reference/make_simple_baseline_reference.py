"""Writes heatmaps of Simple Baselines in plain PyTorch: torch-VERSION-simple_baseline_NAME.npz.

python tests/reference/make_simple_baseline_reference.py    (needs torch==2.13.0 and numpy)

Built from the paper's section 2: ResNet, deconvolutions of stride 2 without bias, each with batch
normalisation and ReLU, a 1x1 convolution. Weights come from a seed, so each file holds names and
shapes of the state dict, the seed, the image size and every n-th row of the heatmaps: `plain`, and
`flipped` where they are averaged with those of the mirrored image, shifted by one column. Also
writes one whole training checkpoint, of a network small enough to be kept.
"""

from pathlib import Path

import numpy as np
import torch
from make_torch_reference import MEAN, STD, BasicBlock, Bottleneck, ResNet
from seeded_weights import seeded_image, seeded_weights
from torch import nn

PADDING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}
"""Kernel -> padding and output padding that double height and width."""
COCO_PAIRS = [(left, left + 1) for left in range(1, 17, 2)]
MPII_PAIRS = [(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)]
FOLDER = Path(__file__).parent


class PoseResNet(ResNet):
    def __init__(self, block, counts, width, filters, kernels, keypoints):
        nn.Module.__init__(self)
        self.inplanes, self.dilation = width, 1
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage, count in enumerate(counts):
            stride = 2 if stage else 1
            stage_layers = self._layer(block, width * 2**stage, count, stride, False)
            setattr(self, f"layer{stage + 1}", stage_layers)
        inputs = [self.inplanes] + [filters] * (len(kernels) - 1)
        parts = zip(inputs, kernels, strict=True)
        self.deconv_layers = nn.Sequential(*(m for n, k in parts for m in deconv(n, filters, k)))
        self.final_layer = nn.Conv2d(filters, keypoints, 1)

    def forward(self, x):
        return self.final_layer(self.deconv_layers(super().forward(x)["C5"]))


def deconv(inputs, filters, kernel):
    options = dict(stride=2, padding=PADDING[kernel][0], output_padding=PADDING[kernel][1])
    upsample = nn.ConvTranspose2d(inputs, filters, kernel, **options, bias=False)
    return upsample, nn.BatchNorm2d(filters), nn.ReLU()


R18, R50 = (BasicBlock, (2, 2, 2, 2)), (Bottleneck, (3, 4, 6, 3))
NETWORKS = {  # name -> network, image (height, width), mirror pairs, row step
    "r50": (lambda: PoseResNet(*R50, 64, 256, (4, 4, 4), 17), (256, 192), COCO_PAIRS, 4),
    "k3": (lambda: PoseResNet(*R18, 8, 16, (3, 3, 3), 17), (96, 160), COCO_PAIRS, 2),
    "k2": (lambda: PoseResNet(*R18, 8, 16, (2, 2, 2), 17), (96, 160), COCO_PAIRS, 2),
    "two": (lambda: PoseResNet(*R18, 8, 16, (4, 4), 17), (96, 160), COCO_PAIRS, 1),
    "mpii": (lambda: PoseResNet(*R18, 2, 4, (4, 4, 4), 16), (64, 96), MPII_PAIRS, 1),
}
CHECKPOINT = "pose_resnet_18_64x96.pth.tar"
"""What a training run of "mpii" on two devices would save."""


def flip_test(network, images, pairs):
    """Averages heatmaps with those of the mirrored images."""
    order = list(range(network.final_layer.out_channels))
    for left, right in pairs:
        order[left], order[right] = right, left
    back = network(images.flip(3)).flip(3)[:, order]
    back[..., 1:] = back[..., :-1].clone()
    return (network(images) + back) / 2


def save_checkpoint(network) -> None:
    """Saves as torch.nn.DataParallel names it, with the optimiser after one step."""
    optimizer = torch.optim.Adam(network.deconv_layers[1].parameters(), 1e-3)
    for parameter in network.deconv_layers[1].parameters():
        parameter.grad = torch.ones_like(parameter)
    state = {f"module.{name}": tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer.step()
    content = {"epoch": 140, "model": "pose_resnet", "state_dict": state, "perf": 0.5}
    version = torch.__version__.split("+")[0]
    path = FOLDER / f"torch-{version}-{CHECKPOINT}"
    torch.save(content | {"optimizer": optimizer.state_dict()}, path)
    print(f"{path.name} {path.stat().st_size} bytes")


def main() -> None:
    torch.manual_seed(0)
    for seed, (name, (build, size, pairs, step)) in enumerate(NETWORKS.items(), 20):
        network = build().eval()
        state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
        weights = seeded_weights({k: tuple(v.shape) for k, v in state.items()}, seed)
        network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
        # Red is the image's channel 0; the network wants blue first, with the statistics as they
        # stand.
        image = torch.from_numpy(seeded_image(size, seed)).flip(3) / 255
        image = ((image - MEAN) / STD).permute(0, 3, 1, 2)
        with torch.no_grad():
            maps = {"plain": network(image), "flipped": flip_test(network, image, pairs)}
        arrays = {k: v.permute(0, 2, 3, 1).numpy()[0, ::step] for k, v in maps.items()}
        for kind, array in arrays.items():
            print(f"{name} {kind} {array.shape} std {array.std():.3f} max {abs(array).max():.3f}")
        shapes = np.array([(*v.shape, 1, 1, 1)[:4] for v in state.values()], np.int16)
        dims = np.array([v.ndim for v in state.values()], np.int8)
        facts = dict(names=np.array(list(state)), shapes=shapes, dims=dims)
        facts |= dict(seed=seed, size=size, step=step)
        version = torch.__version__.split("+")[0]
        path = FOLDER / f"torch-{version}-simple_baseline_{name}.npz"
        np.savez_compressed(path, **facts, **arrays)
        print(f"{path.name} {path.stat().st_size} bytes")
        if name == "mpii":
            save_checkpoint(network)


if __name__ == "__main__":
    main()
