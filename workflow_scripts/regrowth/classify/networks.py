"""Residual networks for small pictures. Each normalises its pictures itself, by buffers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from regrowth.classify import NETWORKS
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inside: int, out: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = nn.Sequential()
        if stride > 1 or inside != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


class ResNet(nn.Module):
    """stem: the stride of its first, 3 × 3 convolution; no pooling follows it."""

    def __init__(self, blocks, widths, classes: int, channels: int, stem: int = 1):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))
        self.conv1 = nn.Conv2d(channels, widths[0], 3, stem, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inside, self.stages = widths[0], len(widths)
        for i, (n, out) in enumerate(zip(blocks, widths), 1):
            strides = [1 if i == 1 else 2, *[1] * (n - 1)]
            stage = [Block(inside if j == 0 else out, out, s) for j, s in enumerate(strides)]
            self.add_module(f"layer{i}", nn.Sequential(*stage))
            inside = out
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        """x: (n, channels, height, width), 0 to 1."""
        x = F.relu(self.bn1(self.conv1((x - self.mean) / self.std)))
        for i in range(self.stages):
            x = self.get_submodule(f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


def small(classes: int, channels: int) -> ResNet:
    return ResNet((1, 1, 1), (24, 48, 96), classes, channels, stem=2)


def resnet18(classes: int, channels: int) -> ResNet:
    return ResNet((2, 2, 2, 2), (64, 128, 256, 512), classes, channels)


def resnet34(classes: int, channels: int) -> ResNet:
    return ResNet((3, 4, 6, 3), (64, 128, 256, 512), classes, channels)


def new(name: str, classes: int, images: torch.Tensor, seed: int) -> ResNet:
    """An untrained network that normalises by these pictures, uint8."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = NETWORKS[name].build(classes, images.shape[1])
    values = images.float() / 255
    network.mean.copy_(values.mean((0, 2, 3))[None, :, None, None])
    network.std.copy_(values.std((0, 2, 3))[None, :, None, None].clamp(min=1e-3))
    return network


def restored(name: str, state: Mapping) -> ResNet:
    """A network from its arrays by name; how many classes it tells apart, they say themselves."""
    network = NETWORKS[name].build(len(state["fc.bias"]), state["conv1.weight"].shape[1])
    network.load_state_dict({name: torch.as_tensor(value) for name, value in state.items()})
    return network.eval()


def state(network: nn.Module) -> dict:
    return {n: value.detach().cpu().numpy().copy() for n, value in network.state_dict().items()}


@contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """Whatever passes in training mode, BatchNorm's running statistics stay."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [module.momentum for module in norms]
    try:
        for module in norms:
            module.momentum = 0.0
        yield
    finally:
        for module, momentum in zip(norms, before):
            module.momentum = momentum


def of_batch_norm(network: nn.Module) -> set[str]:
    """The names of every BatchNorm's parameters, told by their kind: a shortcut's has no "bn" in
    its name."""
    norms = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)]
    return {f"{name}.{part}" for name, module in norms for part, _ in module.named_parameters()}
