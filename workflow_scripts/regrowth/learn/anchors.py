"""What holds weights where they were: a quadratic Σ precision (θ − centre)² / 2."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from regrowth.learn.losses import embedded, noised, predicted
from regrowth.learn.pictures import Material, Pictures
from torch.nn.functional import mse_loss

Weights = dict[str, torch.Tensor]
#: (pipeline, trained weights, material, settings) → (centre, precision); both empty: nothing holds.
Anchor = Callable[..., tuple[Weights, Weights]]
#: The least variance of a weight, as a share of all weights' mean: a few trainings tell little.
FLOOR = 0.1


def none(pipe, held: Weights, material: Material, settings: dict) -> tuple[Weights, Weights]:
    return {}, {}


def fisher(pipe, held: Weights, material: Material, settings: dict) -> tuple[Weights, Weights]:
    """Selective Amnesia: λ Σ F (θ − θ₀)², without a half."""
    if not settings["anchor"]:
        return {}, {}
    felt = information(pipe, held, material.retain, settings["times"], settings["seed"])
    return _copied(held), {n: 2 * settings["anchor"] * f for n, f in felt.items()}


def posterior(pipe, held: Weights, material: Material, settings: dict) -> tuple[Weights, Weights]:
    """VDU: γ Σ (θ − μ)² / 2σ², μ and σ² of some short continued trainings; or θ₀ and 1 / F."""
    if not settings["anchor"]:
        return {}, {}
    if settings["spread"] == "fisher":
        felt = information(pipe, held, material.retain, settings["times"], settings["seed"])
        return _copied(held), {n: settings["anchor"] * f for n, f in felt.items()}
    centre, variance = trainings(pipe, held, material, settings)
    return centre, {n: settings["anchor"] / v for n, v in variance.items()}


ANCHORS: dict[str, Anchor] = {"none": none, "fisher": fisher, "posterior": posterior}


def pull(held: Weights, centre: Weights, precision: Weights) -> Iterator[torch.Tensor]:
    """The quadratic's gradient, weight by weight."""
    return ((p * (held[n].detach() - centre[n])) for n, p in precision.items())


def information(
    pipe, held: Weights, pictures: Pictures, times: int, seed: int
) -> dict[str, torch.Tensor]:
    """Fisher's diagonal: the mean over pictures of the squared gradient of the denoising loss, that
    of a picture at so many random steps. (The original takes the sum over all steps.)"""
    total = {name: torch.zeros_like(weight) for name, weight in held.items()}
    draws = torch.Generator().manual_seed(seed)
    with _felt(held):
        for latent, prompt in zip(pictures.latents, pictures.prompts):
            batch = noised(pipe, latent.expand(times, -1, -1, -1), draws)
            with torch.no_grad():
                words = embedded(pipe, [prompt]).expand(times, -1, -1)
            loss = mse_loss(predicted(pipe, batch, words), batch.wanted)
            for name, gradient in zip(held, torch.autograd.grad(loss, list(held.values()))):
                total[name] += gradient.square() / len(pictures.prompts)
    return total


def trainings(
    pipe, held: Weights, material: Material, settings: dict
) -> tuple[Weights, dict[str, torch.Tensor]]:
    """Mean and variance of each weight at the ends of short trainings from θ₀ on the model's own
    pictures, the concept's and the others'; no variance is below FLOOR times the mean of all."""
    both = (material.forget, material.retain)
    latents = torch.cat([p.latents for p in both])
    prompts = [prompt for p in both for prompt in p.prompts]
    every, start, ends = Pictures(latents, prompts), _copied(held), []
    for k in range(settings["trainings"]):
        draws = torch.Generator().manual_seed(1_000_003 * (settings["seed"] + 1) - 1 - k)
        with _felt(held):
            optimiser = torch.optim.Adam(held.values(), lr=settings["rate"])
            for _ in range(settings["length"]):
                rows = torch.randperm(len(prompts), generator=draws)[: settings["batch"]]
                some = every.batch(rows)
                batch = noised(pipe, some.latents, draws)
                with torch.no_grad():
                    words = embedded(pipe, some.prompts)
                optimiser.zero_grad()
                mse_loss(predicted(pipe, batch, words), batch.wanted).backward()
                optimiser.step()
            optimiser.zero_grad()
        ends.append(_copied(held))
        with torch.no_grad():
            for name, weight in held.items():
                weight.copy_(start[name])
    return spread(ends)


def spread(ends: list[Weights]) -> tuple[Weights, dict[str, torch.Tensor]]:
    """Mean and variance (with the sample's degrees of freedom) of each weight over some states,
    which are empty afterwards: at no time is everything there twice."""
    centre, variance = {}, {}
    for name in list(ends[0]):
        values = torch.stack([end.pop(name) for end in ends])
        centre[name], variance[name] = values.mean(0), values.var(0)
    n = sum(v.numel() for v in variance.values())
    least = FLOOR * sum(float(v.double().sum()) for v in variance.values()) / n
    return centre, {name: v.clamp(min=least) for name, v in variance.items()}


def _copied(held: Weights) -> Weights:
    return {name: weight.detach().clone() for name, weight in held.items()}


@contextmanager
def _felt(held: Weights) -> Iterator[None]:
    """While these weights' gradients are wanted."""
    for weight in held.values():
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight in held.values():
            weight.requires_grad_(False)
