"""Writes the stored outputs of ResNet and MobileNetV2 in plain PyTorch: torch-VERSION-NAME.npz.

python tests/reference/make_torch_reference.py    (needs torch==2.13.0 and numpy, nothing else)

Modules carry torchvision's attribute names, so that names and shapes of the state dict are those
of its checkpoints. Each file holds them, the seed, the image size and every n-th channel of C2-C5.
"""

from pathlib import Path

import numpy as np
import torch
from seeded_weights import seeded_image, seeded_weights
from torch import nn

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inplanes, planes, stride, downsample, dilation):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inplanes, planes, stride, downsample, dilation):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.downsample = downsample

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    def __init__(self, block, counts, dilate=(False, False, False)):
        super().__init__()
        self.inplanes, self.dilation = 64, 1
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._layer(block, 64, counts[0], 1, False)
        self.layer2 = self._layer(block, 128, counts[1], 2, dilate[0])
        self.layer3 = self._layer(block, 256, counts[2], 2, dilate[1])
        self.layer4 = self._layer(block, 512, counts[3], 2, dilate[2])

    def _layer(self, block, planes, count, stride, dilate):
        previous = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        outplanes, downsample = planes * block.expansion, None
        if stride != 1 or self.inplanes != outplanes:
            conv = nn.Conv2d(self.inplanes, outplanes, 1, stride, bias=False)
            downsample = nn.Sequential(conv, nn.BatchNorm2d(outplanes))
        blocks = [block(self.inplanes, planes, stride, downsample, previous)]
        self.inplanes = outplanes
        blocks += [block(outplanes, planes, 1, None, self.dilation) for _ in range(count - 1)]
        return nn.Sequential(*blocks)

    def forward(self, x):
        c2 = self.layer1(self.maxpool(self.bn1(self.conv1(x)).relu()))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return {"C2": c2, "C3": c3, "C4": c4, "C5": self.layer4(c4)}


def conv_bn_relu6(inplanes, planes, kernel=3, stride=1, groups=1):
    conv = nn.Conv2d(inplanes, planes, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(planes), nn.ReLU6())


class InvertedResidual(nn.Module):
    def __init__(self, inplanes, planes, stride, expansion):
        super().__init__()
        hidden = inplanes * expansion
        expand = [conv_bn_relu6(inplanes, hidden, 1)] if expansion != 1 else []
        depthwise = conv_bn_relu6(hidden, hidden, 3, stride, groups=hidden)
        project = nn.Conv2d(hidden, planes, 1, bias=False)
        self.conv = nn.Sequential(*expand, depthwise, project, nn.BatchNorm2d(planes))
        self.residual = stride == 1 and inplanes == planes

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    ROWS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    ROWS += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]

    def __init__(self):
        super().__init__()
        blocks, inplanes = [conv_bn_relu6(3, 32, 3, 2)], 32
        for expansion, planes, count, stride in self.ROWS:
            for index in range(count):
                step = stride if index == 0 else 1
                blocks.append(InvertedResidual(inplanes, planes, step, expansion))
                inplanes = planes
        self.features = nn.Sequential(*blocks, conv_bn_relu6(320, 1280, 1))

    def forward(self, x):
        outputs, levels = {}, {3: "C2", 6: "C3", 13: "C4", 17: "C5", 18: "last_conv"}
        for index, block in enumerate(self.features):
            x = block(x)
            if index in levels:
                outputs[levels[index]] = x
        return outputs


NETWORKS = {  # name -> network, image (height, width): odd, so that padding shows; channel step
    "resnet18": (lambda: ResNet(BasicBlock, (2, 2, 2, 2)), (37, 54), 3),
    "resnet50": (lambda: ResNet(Bottleneck, (3, 4, 6, 3)), (37, 54), 7),
    "resnet50-dilated": (
        lambda: ResNet(Bottleneck, (3, 4, 6, 3), (False, True, True)),
        (37, 54),
        11,
    ),
    "mobilenet_v2": (MobileNetV2, (67, 86), 1),
}


def main() -> None:
    torch.manual_seed(0)
    for seed, (name, (build, size, step)) in enumerate(NETWORKS.items()):
        network = build().eval()
        state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
        weights = seeded_weights({k: tuple(v.shape) for k, v in state.items()}, seed)
        missing, unexpected = network.load_state_dict(
            {k: torch.from_numpy(v) for k, v in weights.items()}, strict=False
        )
        assert not unexpected and all("num_batches" in key for key in missing)
        image = torch.from_numpy(seeded_image(size, seed)) / 255
        with torch.no_grad():
            outputs = network(((image - MEAN) / STD).permute(0, 3, 1, 2))
        arrays = {k: v.permute(0, 2, 3, 1).numpy()[..., ::step] for k, v in outputs.items()}
        for level, array in arrays.items():
            print(f"{name} {level} {array.shape} std {array.std():.3f} max {abs(array).max():.3f}")
        shapes = np.array([(*v.shape, 1, 1, 1)[:4] for v in state.values()], np.int16)
        dims = np.array([v.ndim for v in state.values()], np.int8)
        path = Path(__file__).parent / f"torch-{torch.__version__.split('+')[0]}-{name}.npz"
        names = np.array(list(state))
        facts = dict(names=names, shapes=shapes, dims=dims, seed=seed, size=size, step=step)
        np.savez_compressed(path, **facts, **arrays)
        print(f"{path.name} {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
