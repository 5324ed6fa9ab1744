"""Passes over pictures: the one loop that every training and unlearning of a classifier runs."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

#: As in all the published code.
MOMENTUM, DECAY = 0.9, 5e-4
Settings = dict
#: (network, images from 0 to 1, labels) → the loss of a batch.
Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class Taught:
    """images: uint8 (n, channels, height, width). labels: (n,). augment: whether a training sees
    them `augmented`."""

    images: torch.Tensor
    labels: torch.Tensor
    augment: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, size: int, draws: torch.Generator | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Each picture once, from 0 to 1; as they are and in order if there is nothing to draw
        with."""
        n = len(self)
        order = torch.randperm(n, generator=draws) if draws else torch.arange(n)
        for rows in order.split(size):
            some = self.some(rows)
            images = some.images.float() / 255
            yield augmented(images, draws) if draws and self.augment else images, some.labels

    def some(self, rows: torch.Tensor) -> "Taught":
        rows = rows.to(self.device)
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    @property
    def device(self) -> torch.device:
        return self.images.device


def augmented(images: torch.Tensor, draws: torch.Generator, reach: int = 4) -> torch.Tensor:
    """Each shifted by up to `reach` pixels, black beyond its edges, and flipped or not."""
    n, _, height, width = images.shape
    moved = torch.randint(2 * reach + 1, (2, n), generator=draws).to(images.device)
    flip = torch.randint(2, (n, 1), generator=draws).bool().to(images.device)
    rows = torch.arange(height, device=images.device) + moved[0][:, None]
    columns = torch.arange(width, device=images.device) + moved[1][:, None]
    columns = torch.where(flip, columns.flip(1), columns)
    padded = F.pad(images, [reach] * 4).permute(0, 2, 3, 1)
    which = torch.arange(n, device=images.device)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cross_entropy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(network(images), labels)


def optimiser(network: nn.Module, rate: float) -> torch.optim.SGD:
    return torch.optim.SGD(network.parameters(), lr=rate, momentum=MOMENTUM, weight_decay=DECAY)


def epoch(
    network: nn.Module,
    taught: Taught,
    descent: torch.optim.SGD,
    settings: Settings,
    draws: torch.Generator,
    loss: Loss = cross_entropy,
    on: dict[str, torch.Tensor] | None = None,
) -> None:
    """One pass in training mode. on: bool by parameter, True where one may move."""
    network.train()
    for images, labels in taught.batches(settings["batch"], draws):
        descent.zero_grad()
        loss(network, images, labels).backward()
        step(network, descent, on)


def step(
    network: nn.Module, descent: torch.optim.SGD, on: dict[str, torch.Tensor] | None = None
) -> None:
    """What the mask does not hold stays, whatever momentum and decay it has."""
    on = on or {}
    held = {name: weight for name, weight in network.named_parameters() if name in on}
    before = {name: weight.detach().clone() for name, weight in held.items()}
    descent.step()
    with torch.no_grad():
        for name, old in before.items():
            held[name].copy_(torch.where(on[name], held[name], old))


def fit(network: nn.Module, taught: Taught, settings: Settings, draws: torch.Generator) -> None:
    """A whole training: `settings.Training`."""
    descent = optimiser(network, settings["rate"])
    for at in range(settings["epochs"]):
        if settings["schedule"] == "cosine":
            share = (1 + math.cos(math.pi * at / settings["epochs"])) / 2
            descent.param_groups[0]["lr"] = settings["rate"] * share
        epoch(network, taught, descent, settings, draws)


@torch.no_grad()
def logits(network: nn.Module, taught: Taught, batch: int = 500) -> np.ndarray:
    """(n, classes), in evaluation mode."""
    network.eval()
    return np.concatenate([network(images).cpu().numpy() for images, _ in taught.batches(batch)])
