"""Apollo: membership from labels alone. Shadow models say where, near a picture, a model that has
learnt and forgotten it would answer otherwise than one that never saw it; the model is asked there.

A reconstruction of Tang, Joshi and Kundu, Apollo: A Posteriori Label-Only Membership Inference
Attack Towards Machine Unlearning (arXiv 2506.09923), whose code has changed much: steps are of unit
length here, and what decides is the first step at which those that never saw the picture no longer
know it (under-unlearning), or the last at which they still do (over-unlearning).
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def apollo(
    target: nn.Module,
    shadows: list[nn.Module],
    images: torch.Tensor,
    labels: torch.Tensor,
    inside: torch.Tensor,
    settings: dict,
) -> dict[str, np.ndarray]:
    """Bool by picture: "under" and "over", whether the model betrays it. Only the target's labels
    are looked at.

    images: (n, channels, height, width), 0 to 1. labels: (n,). inside: bool (shadows, n). settings:
    `settings.Apollo`. All networks are in evaluation mode.
    """
    found = {}
    for name, sign in (("under", 1.0), ("over", -1.0)):
        known, sure = _walk(target, shadows, images, labels, inside, settings, sign)
        if name == "under":
            found[name] = at_first(sure < settings["under"], known)
        else:
            found[name] = at_first(sure[::-1] > settings["over"], ~known[::-1])
    return found


def at_first(where: np.ndarray, what: np.ndarray) -> np.ndarray:
    """`what` of each column at the first step `where`; False where there is none. (steps, n)."""
    rows = where.argmax(0)
    return where.any(0) & what[rows, np.arange(what.shape[1])]


def _walk(target, shadows, images, labels, inside, settings, sign):
    """(steps, n): whether the target knows the picture, and how sure those are who never saw it."""
    at, known, sure = images.clone(), [], []
    for step in range(1, settings["steps"] + 1):
        at = at.detach().requires_grad_(True)
        losses = _losses(shadows, at, labels)
        apart = mean(losses, inside) - mean(losses, ~inside)
        (slope,) = torch.autograd.grad(sign * apart.sum(), at)
        at = at.detach() - settings["radius"] * _unit(slope)
        at = ring(images, at, settings["radius"] * (step - 1), settings["radius"] * step)
        at = at.clamp(0, 1)
        with torch.no_grad():
            known.append((target(at).argmax(1) == labels).cpu().numpy())
            sure.append(mean(torch.exp(-_losses(shadows, at, labels)), ~inside).cpu().numpy())
    return np.stack(known), np.stack(sure)


def _losses(shadows: Iterable[nn.Module], at: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(shadows, n)."""
    return torch.stack([F.cross_entropy(one(at), labels, reduction="none") for one in shadows])


def mean(values: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    """By picture over the shadows marked."""
    return (values * of).sum(0) / of.sum(0)


def _unit(slope: torch.Tensor) -> torch.Tensor:
    return slope / slope.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None, None]


def ring(images: torch.Tensor, at: torch.Tensor, least: float, most: float) -> torch.Tensor:
    """The nearest point whose distance to its picture is between the two (l2)."""
    off = at - images
    length = off.flatten(1).norm(dim=1).clamp(min=1e-12)
    return images + off * (length.clamp(least, most) / length)[:, None, None, None]
