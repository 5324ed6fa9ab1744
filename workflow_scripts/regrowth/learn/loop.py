"""The one training loop: every trained eraser is a recipe for it."""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from regrowth.draw.pipeline import PACE
from regrowth.learn.anchors import ANCHORS, pull
from regrowth.learn.combine import COMBINERS
from regrowth.learn.masks import MASKS, State, reset
from regrowth.learn.pictures import Material
from regrowth.learn.precision import Scale, felt, saving
from regrowth.learn.recipes import PARAMETERS, Recipe
from regrowth.learn.state import Kept
from regrowth.learn.targets import made

log = logging.getLogger(__name__)


class Blown(Exception):
    """A training whose gradient is no number at `step`, counted from 1. weights: the last that were
    good, as `train` returns them."""

    def __init__(self, step: int, weights: dict[str, np.ndarray]):
        self.step, self.weights = step, weights
        super().__init__(f"the gradient of step {step} is not a number; a lower rate may hold")


def train(
    pipe,
    recipe: Recipe,
    material: Material,
    settings: dict,
    kept: Kept | None = None,
    after: Callable[[int], None] = lambda step: None,
) -> dict[str, np.ndarray]:
    """The weights that a recipe changes, float32 by the UNet's names; the pipeline has them then.

    settings: `recipes.resolved`. after: is told of each step that is done. Same input and seed,
    same bytes on one machine, whether or not the training was stopped on its way and went on from
    what `kept` holds. Weights outside the recipe's parameters, or its mask, are the frozen ones',
    bit by bit. Raises Blown once a gradient is not finite.
    """
    with saving(pipe.unet, settings):
        return _trained(pipe, recipe, material, settings, kept, after)


def _trained(pipe, recipe, material, settings, kept, after) -> dict[str, np.ndarray]:
    unet = pipe.unet.requires_grad_(False)
    pattern = PARAMETERS[recipe.parameters]
    held = {n: p for n, p in unet.named_parameters() if pattern.search(n)}
    weights, mask = list(held.values()), MASKS[recipe.mask]
    state = mask.begin(pipe, held, material.forget, settings)
    centre, precision = ANCHORS[recipe.anchor](pipe, held, material, settings)
    if recipe.reset:
        reset(pipe, held, material.forget, settings)
    for parameter in weights:
        parameter.requires_grad_(True)
    # one by one: on a GPU all at once takes as much memory again as the weights have
    optimiser = torch.optim.Adam(weights, lr=settings["rate"], foreach=False)
    scale = Scale(settings.get("dtype", "float32"))
    first, start = 0, time.monotonic()
    if kept and (found := kept.read()):
        first, state = found["step"], State(**found["mask"])
        scale.value = found["scale"]
        optimiser.load_state_dict(found["optimiser"])
        _put(held, found["weights"])
    for at, rows, draws in _batches(len(material.forget.prompts), settings, first):
        step = made(pipe, recipe, material, at, rows, draws, settings)
        gradients, losses = felt(COMBINERS[settings["combine"]], step, weights, scale)
        for gradient, more in zip(gradients, pull(held, centre, precision)):
            gradient += more
        if not all(torch.isfinite(value).all() for value in (*losses, *gradients)):
            unet.requires_grad_(False)
            raise Blown(at + 1, _single(held))
        if state.on is not None:
            _move(held, gradients, state, optimiser)
        state = mask.moved(at + 1, state, dict(zip(held, gradients)), settings)
        after(at + 1)
        if kept:
            kept.after(at + 1, partial(_kept, held, optimiser, state, scale))
        if (at + 1) % 20 == 0:
            left = (time.monotonic() - start) / (at + 1 - first) * (settings["steps"] - at - 1) / 60
            told = at + 1, settings["steps"], losses[0].item(), left
            log.info("step %d of %d, loss %.4f, %.0f min left", *told, extra=PACE)
        del step, gradients, losses  # before the next step's are there
    unet.requires_grad_(False)
    return _single(held)


def _batches(
    n: int, settings: dict, first: int
) -> Iterator[tuple[int, torch.Tensor, torch.Generator]]:
    """Of every step its number, rows and own source of noise, by the seed and the step alone."""
    for step in range(first, settings["steps"]):
        draws = torch.Generator().manual_seed(1_000_003 * (settings["seed"] + 1) + step)
        yield step, torch.randperm(n, generator=draws)[: settings["batch"]], draws


def _move(held: dict, gradients: list, state: State, optimiser: torch.optim.Adam) -> None:
    """One step of the optimiser; what the mask does not hold stays, whatever momentum it has."""
    on = state.on or {}
    before = {name: held[name].detach().clone() for name in on}
    for (name, weight), gradient in zip(held.items(), gradients):
        weight.grad = gradient * on[name] if on else gradient
    optimiser.step()
    optimiser.zero_grad()
    with torch.no_grad():
        for name, old in before.items():
            held[name].copy_(torch.where(on[name], held[name], old))


def _kept(held: dict, optimiser: torch.optim.Adam, state: State, scale: Scale) -> dict:
    weights = {name: weight.detach() for name, weight in held.items()}
    moments = optimiser.state_dict()
    return {"weights": weights, "optimiser": moments, "mask": vars(state), "scale": scale.value}


def _put(held: dict, weights: dict) -> None:
    with torch.no_grad():
        for name, value in weights.items():
            held[name].copy_(value)


def _single(held: dict) -> dict[str, np.ndarray]:
    return {n: p.detach().float().cpu().numpy().copy() for n, p in held.items()}
