"""Scissorhands: trim what forgetting hangs on, then repair on a projected gradient.

`paper` and `code` are two methods. Paper: |Σ gradients × θ| over all that is forgotten, each
picture alike, the share counted within the late layers (print's score has its sign, so that its
largest are of one sign alone); each step compares with what is forgotten now, which leaves
BatchNorm's running statistics as they are (they would become half a forgotten class's own, and what
is kept be lost by that alone; print says nothing of it). Code: Σ|gradient| × |θ| of one batch, the
share counted over the whole network, of which only what lies in the late layers is drawn anew; a
pass compares with one batch's gradient from its beginning, by a margin of a half, in the late
layers alone; and once every forgotten picture was seen, the rest of the pass only learns what is
kept. BatchNorm is never drawn anew by either. (The published code spares names with "bn", and so
redraws the shortcuts' norms, which have another.)
"""

import numpy as np
import torch
from regrowth.classify.lesson import Lesson
from regrowth.classify.networks import of_batch_norm, still
from regrowth.classify.saliency import felt, scores
from regrowth.classify.train import cross_entropy, optimiser, step
from regrowth.learn.projection import Gradients, added, products, projected
from regrowth.learn.shares import least
from torch import nn

#: Of the quadratic programme that the published code solves: its margin, and what |g_f|² is given.
MARGIN, EPSILON = 0.5, 1e-3


def scissorhands(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """Facts: how many parameters were drawn anew, of how many, and the share of steps at which the
    projection acted."""
    chosen = trimmed(network, lesson, settings)
    drawn = redraw(network, chosen, settings["init"], lesson.draws)
    repair = _as_published if settings["faithful"] == "code" else _as_printed
    acted = repair(network, lesson, settings)
    total = sum(weight.numel() for weight in network.parameters())
    return {"redrawn": drawn, "parameters": total, "projected": float(np.mean(acted))}


def trimmed(network: nn.Module, lesson: Lesson, settings: dict) -> dict[str, np.ndarray]:
    """By parameter of the late layers, True where it is drawn anew."""
    code, norms = settings["faithful"] == "code", of_batch_norm(network)
    shown = lesson.forget
    if code:
        rows = torch.randperm(len(shown), generator=lesson.draws)[: settings["batch"]]
        shown = shown.some(rows)
    read = felt(network, shown, settings["batch"], train=code, even=not code)
    found = scores(network, read, "absolute" if code else "signed")
    late = {n: score for n, score in found.items() if lesson.is_late(n) and n not in norms}
    bar = least((found if code else late).values(), settings["share"])
    return {name: score >= bar for name, score in late.items()}


def redraw(
    network: nn.Module, chosen: dict[str, np.ndarray], init: str, draws: torch.Generator
) -> int:
    """Draw the chosen parameters anew; how many. uniform: within ±1/√(inputs), biases 0; normal:
    as widely spread."""
    held = dict(network.named_parameters())
    with torch.no_grad():
        for name, some in chosen.items():
            weight, bound = held[name], 0.0
            if weight.ndim > 1:
                bound = weight[0].numel() ** -0.5
            evenly = (2 * torch.rand(weight.shape, generator=draws) - 1) * bound
            new = {
                "uniform": evenly,
                "normal": torch.randn(weight.shape, generator=draws) * bound / 3**0.5,
                "zeros": torch.zeros(weight.shape),
                "ones": torch.ones(weight.shape),
            }[init]
            on = torch.from_numpy(some).to(weight.device)
            weight.copy_(torch.where(on, new.to(weight.device), weight))
    return int(sum(some.sum() for some in chosen.values()))


def _as_printed(network: nn.Module, lesson: Lesson, settings: dict) -> list[bool]:
    """Every step projects; at which the projection acted."""
    descent, acted = optimiser(network, settings["rate"]), []
    for _ in range(settings["epochs"]):
        network.train()
        forgets = _forgotten(lesson, settings)
        for kept in lesson.retain.batches(settings["batch"], lesson.draws):
            with still(network):
                uphill = [-g for g in _gradients(network, next(forgets))]
            downhill = _gradients(network, kept)
            weight = projected(*products(uphill, downhill), settings["forget"])
            acted.append(settings["project"] and weight > settings["forget"])
            weight = weight if settings["project"] else settings["forget"]
            _follow(network, descent, added(uphill, downhill, weight))
    return acted


def _as_published(network: nn.Module, lesson: Lesson, settings: dict) -> list[bool]:
    """Every step that sees what is forgotten projects the late layers' gradient; at which it
    acted."""
    descent, acted = optimiser(network, settings["rate"]), []
    late = [lesson.is_late(name) for name, _ in network.named_parameters()]
    for _ in range(settings["epochs"]):
        network.eval()
        stale = _late(_gradients(network, next(_forgotten(lesson, settings))), late)
        network.train()
        forgets = lesson.forget.batches(settings["batch"], lesson.draws)
        for kept in lesson.retain.batches(settings["batch"], lesson.draws):
            gradient = _gradients(network, kept)
            if forgotten := next(forgets, None):
                ascent = _gradients(network, forgotten)
                gradient = added(ascent, gradient, -settings["forget"])
                lost = away(*products(stale, _late(gradient, late)))
                acted.append(settings["project"] and lost > 0)
                if acted[-1]:
                    moved = iter(added(stale, _late(gradient, late), -lost))
                    gradient = [next(moved) if own else g for own, g in zip(late, gradient)]
            _follow(network, descent, gradient)
    return acted


def away(product: float, square: float) -> float:
    """How much of g_f is taken from g where <g, g_f> is positive: never less than the margin."""
    return max(MARGIN, product / (square + EPSILON)) if product > 0 else 0.0


def _late(gradients: Gradients, late: list[bool]) -> Gradients:
    return [g for g, own in zip(gradients, late) if own]


def _forgotten(lesson: Lesson, settings: dict):
    """Batches without end, each pass in an order of its own."""
    while True:
        yield from lesson.forget.batches(settings["batch"], lesson.draws)


def _gradients(network: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> Gradients:
    return list(torch.autograd.grad(cross_entropy(network, *batch), list(network.parameters())))


def _follow(network: nn.Module, descent: torch.optim.SGD, gradients: Gradients) -> None:
    for weight, gradient in zip(network.parameters(), gradients):
        weight.grad = gradient
    step(network, descent)
