"""How the gradient of the concept's loss and that of the others' become one."""

from collections.abc import Callable

import torch
from regrowth.learn.projection import Gradients, added, products, projected, valued
from regrowth.learn.resilient import ahead
from regrowth.learn.targets import Step

#: Trained weights → (a step's gradient, the losses that it is made of).
Combiner = Callable[[Step, Gradients], tuple[Gradients, list[torch.Tensor]]]


def both(step: Step, weights: Gradients) -> tuple[Gradients, Gradients, list[torch.Tensor]]:
    """The gradient on the concept, that on the others by its weight (none: empty), the losses."""
    forget, retain = step.forget(), step.settings["retain"]
    of_concept = list(torch.autograd.grad(forget, weights))
    if not retain:
        return of_concept, [], [forget.detach()]
    kept = step.retain()
    of_others = list(torch.autograd.grad(kept, weights))
    for i, gradient in enumerate(of_others):
        of_others[i] = retain * gradient
    return of_concept, of_others, [forget.detach(), kept.detach()]


def summed(step: Step, weights: Gradients):
    """At fixed weights."""
    concept, others, losses = both(step, weights)
    return added(concept, others, step.settings["forget"]), losses


def project(step: Step, weights: Gradients):
    """Scissorhands."""
    concept, others, losses = both(step, weights)
    weight = projected(*products(concept, others), step.settings["forget"])
    return added(concept, others, weight), losses


def value(step: Step, weights: Gradients):
    """EraseDiff, as printed."""
    concept, others, losses = both(step, weights)
    weight = valued(*products(concept, others), step.settings["slack"])
    return added(concept, others, weight), losses


def alternate(step: Step, weights: Gradients):
    """Model Integrity's OVW: the concept and the others take turns."""
    turn, loss = ("retain", step.retain) if step.at % 2 else ("forget", step.forget)
    told = loss()
    gradient = torch.autograd.grad(told, weights)
    return [step.settings[turn] * g for g in gradient], [told.detach()]


def resilient(step: Step, weights: Gradients):
    """ResAlign: the concept's loss as it is now, and as it is after a simulated tuning."""
    concept, others, losses = both(step, weights)
    share = step.settings["ahead"]
    later = ahead(step, weights) if share else concept
    mixed = [(1 - share) * now + share * then for now, then in zip(concept, later)]
    return added(mixed, others, step.settings["forget"]), losses


COMBINERS: dict[str, Combiner] = {
    "sum": summed,
    "project": project,
    "value": value,
    "alternate": alternate,
    "resilient": resilient,
}
