"""IU: one step along the inverse Hessian times what is forgotten, by a recursion that needs no
Hessian. As published it is WoodFisher's with one vector carried along, and exact only where all
gradients are alike."""

from collections.abc import Iterable

import torch
from regrowth.classify.lesson import Lesson
from regrowth.classify.train import Taught, cross_entropy
from torch import nn

#: Pictures in one pass.
BATCH = 256


def influence(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    network.eval()
    n, forgotten, kept = len(lesson.forget) + len(lesson.retain), lesson.forget, lesson.retain
    towards = gradient(network, forgotten, BATCH) / n
    away = gradient(network, kept, BATCH) * (len(forgotten) / (n * len(kept)))
    some = kept.some(torch.arange(min(settings["samples"], len(kept))))
    each = (flat(network, cross_entropy(network, *one)) for one in some.batches(1))
    step = settings["alpha"] * woodfisher(each, towards - away, settings["samples"])
    weights = list(network.parameters())
    with torch.no_grad():
        for weight, part in zip(weights, step.split([w.numel() for w in weights])):
            weight += part.reshape(weight.shape)
    return {"step": float(step.norm())}


def woodfisher(gradients: Iterable[torch.Tensor], v: torch.Tensor, n: int) -> torch.Tensor:
    """About (1 + Σ g gᵀ / n)⁻¹ v over the gradients g."""
    k, carried = v.clone(), None
    for g in gradients:
        carried = g.clone() if carried is None else carried
        bottom = n + carried @ g
        k = k - (k @ g) / bottom * carried
        carried = carried - (carried @ g) / bottom * carried
    return k


def flat(network: nn.Module, loss: torch.Tensor) -> torch.Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))])


def gradient(network: nn.Module, taught: Taught, batch: int) -> torch.Tensor:
    """Of the sum of all losses."""
    total = sum(
        len(labels) * flat(network, cross_entropy(network, images, labels))
        for images, labels in taught.batches(batch)
    )
    return total
