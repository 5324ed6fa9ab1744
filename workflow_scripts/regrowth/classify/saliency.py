"""How much forgetting hangs on each parameter, by the scores that the pruning erasers have."""

import numpy as np
import torch
from regrowth.classify.train import Taught, cross_entropy
from regrowth.erase import saliency
from torch import nn


def felt(
    network: nn.Module, taught: Taught, batch: int, train: bool = False, even: bool = False
) -> dict[str, dict[str, np.ndarray]]:
    """By parameter, over batches in order: the "sum" of the mean loss's gradients, and the
    "absolute" sum of their magnitudes. train: the mode in which the batches are seen. even: every
    picture counts alike; else every batch, those of a small last one more."""
    network.train(train)
    held = dict(network.named_parameters())
    total = {n: {k: torch.zeros_like(w) for k in ("sum", "absolute")} for n, w in held.items()}
    for images, labels in taught.batches(batch):
        loss = cross_entropy(network, images, labels)
        if even:
            loss = loss * len(labels) / batch
        for name, gradient in zip(held, torch.autograd.grad(loss, list(held.values()))):
            total[name]["sum"] += gradient
            total[name]["absolute"] += gradient.abs()
    return {n: {k: v.cpu().numpy() for k, v in of.items()} for n, of in total.items()}


def scores(network: nn.Module, read: dict, weighed: str) -> dict[str, np.ndarray]:
    """weighed: "no" (SalUn), or "signed" or "absolute" (Scissorhands), as in `erase.saliency`."""
    held = {name: w.detach().cpu().numpy() for name, w in network.named_parameters()}
    return {name: saliency.scores(held[name], of, weighed) for name, of in read.items()}
