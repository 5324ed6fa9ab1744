"""Boundary unlearning: what is forgotten is taught as its nearest other side, or as a class of its
own."""

from copy import deepcopy
from dataclasses import replace

import torch
from regrowth.classify.lesson import Lesson
from regrowth.classify.train import Taught, cross_entropy, epoch, optimiser
from torch import nn


def shrink(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """Boundary Shrink. As in the published code, that side may be the true one."""
    labels = nearest(network, lesson.forget, settings["step"], settings["batch"])
    _teach(network, replace(lesson.forget, labels=labels), lesson, settings)
    return {"moved_labels": int((labels != lesson.forget.labels).sum())}


def nearest(network: nn.Module, taught: Taught, step: float, batch: int) -> torch.Tensor:
    """What the network takes each picture for after one signed step (FGSM) up its own loss."""
    frozen, found = deepcopy(network).eval(), []
    for images, labels in taught.batches(batch):
        images.requires_grad_(True)
        (uphill,) = torch.autograd.grad(cross_entropy(frozen, images, labels), images)
        with torch.no_grad():
            found.append(frozen((images + step * uphill.sign()).clamp(0, 1)).argmax(1))
    return torch.cat(found)


def expand(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """Boundary Expanding. As in the published code, the new class is never taken away again."""
    head = network.fc
    wider = nn.Linear(head.in_features, head.out_features + 1).to(head.weight.device)
    bound = head.in_features**-0.5
    with torch.no_grad():
        for new, old in ((wider.weight, head.weight), (wider.bias, head.bias)):
            drawn = torch.rand(new.shape, generator=lesson.draws)
            new.copy_(((2 * drawn - 1) * bound).to(new.device))
            new[: len(old)] = old
    network.fc = wider
    labels = torch.full_like(lesson.forget.labels, head.out_features)
    _teach(network, replace(lesson.forget, labels=labels), lesson, settings)
    return {}


def _teach(network: nn.Module, taught: Taught, lesson: Lesson, settings: dict) -> None:
    descent = optimiser(network, settings["rate"])
    for _ in range(settings["epochs"]):
        epoch(network, taught, descent, settings, lesson.draws)
