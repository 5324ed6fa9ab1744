"""Residual networks for small pictures, and ImageNet's. Each normalises its pictures itself, by
buffers."""

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


#: Of the pictures that ImageNet's weights were trained on.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: What a network has of its own, wherever it starts.
OWN = ("mean", "std", "fc.weight", "fc.bias")


class ResNet(nn.Module):
    """stem: size and stride of its first convolution. pool: whether 3 × 3 pooling at stride 2
    follows it. Parameters have torchvision's names."""

    def __init__(self, blocks, widths, classes: int, channels: int, stem=(3, 1), pool=False):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))
        self.conv1 = nn.Conv2d(channels, widths[0], *stem, stem[0] // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.pool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()
        inside, self.stages = widths[0], len(widths)
        for i, (n, out) in enumerate(zip(blocks, widths), 1):
            strides = [1 if i == 1 else 2, *[1] * (n - 1)]
            stage = [Block(inside if j == 0 else out, out, s) for j, s in enumerate(strides)]
            self.add_module(f"layer{i}", nn.Sequential(*stage))
            inside = out
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        """x: (n, channels, height, width), 0 to 1."""
        x = self.pool(F.relu(self.bn1(self.conv1((x - self.mean) / self.std))))
        for i in range(self.stages):
            x = self.get_submodule(f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


def small(classes: int, channels: int) -> ResNet:
    return ResNet((1, 1, 1), (24, 48, 96), classes, channels, stem=(3, 2))


def resnet18(classes: int, channels: int) -> ResNet:
    return ResNet((2, 2, 2, 2), (64, 128, 256, 512), classes, channels)


def resnet34(classes: int, channels: int) -> ResNet:
    return ResNet((3, 4, 6, 3), (64, 128, 256, 512), classes, channels)


def resnet18_imagenet(classes: int, channels: int) -> ResNet:
    return ResNet((2, 2, 2, 2), (64, 128, 256, 512), classes, channels, (7, 2), pool=True)


def resnet34_imagenet(classes: int, channels: int) -> ResNet:
    return ResNet((3, 4, 6, 3), (64, 128, 256, 512), classes, channels, (7, 2), pool=True)


def new(
    name: str, classes: int, images: torch.Tensor, seed: int, start: Mapping | None = None
) -> ResNet:
    """An untrained network that normalises by these pictures, uint8. start: of ImageNet's, every
    array but those of the head, by torchvision's names; then it normalises by ImageNet's. Raises
    ValueError where they are not this network's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = NETWORKS[name].build(classes, images.shape[1])
    if start is not None:
        if told := unfit(name, images.shape[1], {n: value.shape for n, value in start.items()}):
            raise ValueError(told)
        given = {part: torch.as_tensor(start[part]) for part in wanted(network)}
        network.load_state_dict(given, strict=False)
        for buffer, values in ((network.mean, MEAN), (network.std, STD)):
            buffer.copy_(torch.tensor(values)[None, :, None, None])
        return network
    values = images.float() / 255
    network.mean.copy_(values.mean((0, 2, 3))[None, :, None, None])
    network.std.copy_(values.std((0, 2, 3))[None, :, None, None].clamp(min=1e-3))
    return network


def wanted(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of what a network starts from: all but its own."""
    held = {n: tuple(v.shape) for n, v in network.state_dict().items() if n not in OWN}
    return {n: shape for n, shape in held.items() if not n.endswith("num_batches_tracked")}


def unfit(name: str, channels: int, shapes: Mapping) -> str:
    """Why a network cannot start from arrays of these shapes; "" if it can."""
    with torch.device("meta"):
        network = NETWORKS[name].build(1, channels)
    for part, shape in wanted(network).items():
        if part not in shapes:
            return f"it has no {part}, which {name} needs"
        if tuple(shapes[part]) != shape:
            return f"its {part} is {tuple(shapes[part])}, and {name}'s {shape}"
    return ""


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
