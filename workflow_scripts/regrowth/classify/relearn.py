"""Relearn time: how many passes over what was forgotten bring its accuracy back."""

import numpy as np
import torch
from regrowth.classify.split import number
from regrowth.classify.train import Taught, epoch, logits, optimiser
from torch import nn


def relearn(
    network: nn.Module, taught: Taught, goal: float, settings: dict, seed: int
) -> list[float]:
    """The accuracy before, and after each pass until the goal is reached, or the cap."""
    draws = torch.Generator().manual_seed(number("relearn", seed))
    descent, curve = optimiser(network, settings["rate"]), [accuracy(network, taught)]
    while curve[-1] < goal and len(curve) <= settings["cap"]:
        epoch(network, taught, descent, settings, draws)
        curve.append(accuracy(network, taught))
    return curve


def accuracy(network: nn.Module, taught: Taught) -> float:
    return float(np.mean(logits(network, taught).argmax(1) == taught.labels.cpu().numpy()))
