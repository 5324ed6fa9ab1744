"""SalUn: random labels for what is forgotten, on the weights that forgetting hangs on most."""

from dataclasses import replace

import torch
from regrowth.classify.lesson import Lesson
from regrowth.classify.saliency import felt, scores
from regrowth.classify.train import epoch, optimiser
from regrowth.learn.shares import least
from torch import nn


def salun(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """Labels are drawn anew each pass, the true one among them."""
    on = mask(network, lesson, settings)
    descent = optimiser(network, settings["rate"])
    for _ in range(settings["epochs"]):
        drawn = torch.randint(lesson.classes, (len(lesson.forget),), generator=lesson.draws)
        wrong = replace(lesson.forget, labels=drawn.to(lesson.forget.device))
        epoch(network, wrong, descent, settings, lesson.draws, on=on)
        epoch(network, lesson.retain, descent, settings, lesson.draws, on=on)
    moves = sum(int(some.sum()) for some in on.values())
    return {"share": moves / sum(some.numel() for some in on.values())}


def mask(network: nn.Module, lesson: Lesson, settings: dict) -> dict[str, torch.Tensor]:
    """The share of all parameters together with the largest |sum of gradients|, True where one may
    move."""
    found = scores(network, felt(network, lesson.forget, settings["batch"]), "no")
    bar = least(found.values(), settings["share"])
    device = lesson.forget.device
    return {name: torch.from_numpy(score >= bar).to(device) for name, score in found.items()}
