"""Unlearners that only train on, and what each is held against: a new training without what is
forgotten, and a model that has only seen it again."""

from contextlib import nullcontext

import torch
from regrowth.classify.lesson import Lesson
from regrowth.classify.networks import still
from regrowth.classify.train import cross_entropy, epoch, fit, optimiser
from torch import nn


def retrain(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """network: a new one. settings: the training's."""
    fit(network, lesson.retain, settings, lesson.draws)
    return {}


def fine_tune(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    descent = optimiser(network, settings["rate"])
    for _ in range(settings["epochs"]):
        epoch(network, lesson.retain, descent, settings, lesson.draws)
    return {}


def sparse(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """ℓ1-sparse (Model Sparsity Can Simplify Machine Unlearning): nothing is pruned."""
    descent = optimiser(network, settings["rate"])
    for at in range(settings["epochs"]):
        alpha = settings["alpha"] * (1 - at / settings["epochs"])

        def loss(network, images, labels, alpha=alpha):
            size = sum(weight.abs().sum() for weight in network.parameters())
            return cross_entropy(network, images, labels) + alpha * size

        epoch(network, lesson.retain, descent, settings, lesson.draws, loss)
    return {}


def ascent(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    descent = optimiser(network, settings["rate"])

    def loss(network, images, labels):
        return -cross_entropy(network, images, labels)

    with still(network) if settings["still"] else nullcontext():
        for _ in range(settings["epochs"]):
            epoch(network, lesson.forget, descent, settings, lesson.draws, loss)
    return {}


@torch.no_grad()
def drift(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """No weight moves: what passes for unlearning where only BatchNorm's statistics do."""
    network.train()
    for _ in range(settings["epochs"]):
        for images, _ in lesson.forget.batches(settings["batch"], lesson.draws):
            network(images)
    return {}
