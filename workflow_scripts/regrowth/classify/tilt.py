"""TRW (Tilted ReWeighting): what is forgotten is taught as a new training would take it, by how
near the other classes are.

A reconstruction of Wang, Ebrahimpour-Boroojeny and Sundaram, On the Necessity of Output
Distribution Reweighting for Effective Class Unlearning (arXiv 2506.20893), of which no code was at
hand: a class is near by the cosine of centred rows of the head, which are those in all of their
principal components; the paper takes fewer, and sharpens the cosines.
"""

from dataclasses import replace

import torch
from regrowth.classify.lesson import Lesson
from regrowth.classify.train import Taught, epoch, logits, optimiser
from torch import nn
from torch.nn import functional as F


def trw(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """One training on all pictures together, whose labels are distributions."""
    forgotten, kept = lesson.forget, lesson.retain
    before = torch.from_numpy(logits(network, forgotten)).to(forgotten.device)
    near = nearness(network.fc.weight.detach())
    aims = tilted(before, forgotten.labels, near, settings["tilt"])
    known = F.one_hot(kept.labels, aims.shape[1]).to(aims.dtype)
    images = torch.cat([forgotten.images, kept.images])
    together: Taught = replace(kept, images=images, labels=torch.cat([aims, known]))
    descent = optimiser(network, settings["rate"])
    for _ in range(settings["epochs"]):
        epoch(network, together, descent, settings, lesson.draws)
    return {}


def nearness(head: torch.Tensor) -> torch.Tensor:
    """head: (classes, features). (classes, classes), the cosines of its rows less their mean."""
    rows = F.normalize(head - head.mean(0), dim=1)
    return rows @ rows.T


def tilted(
    before: torch.Tensor, labels: torch.Tensor, near: torch.Tensor, tilt: float
) -> torch.Tensor:
    """What each picture is taught, (n, classes): p exp(tilt × nearness to its own class) over the
    other classes, none on its own.

    before: (n, classes), the logits of p. Of all distributions that leave the own class out, the
    one with the least KL(q | p) − tilt E_q[nearness].
    """
    own = F.one_hot(labels, before.shape[1]).bool()
    exponent = torch.log_softmax(before, 1) + tilt * near[labels]
    return torch.softmax(exponent.masked_fill(own, -torch.inf), 1)
