"""The one training loop: every trained eraser is a recipe for it."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from regrowth.draw.pipeline import PACE
from regrowth.learn.gradients import gradients
from regrowth.learn.losses import Noised, embedded, noised, predicted
from regrowth.learn.pictures import Material, Pictures
from regrowth.learn.recipes import PARAMETERS, Recipe
from regrowth.learn.shares import least
from torch.nn.functional import mse_loss

log = logging.getLogger(__name__)


@dataclass
class Step:
    """One batch under the forget loss: noised, with the words of its prompts and of the others'."""

    pipe: Any
    material: Material
    batch: Noised
    words: torch.Tensor
    instead: torch.Tensor
    empty: torch.Tensor
    settings: dict

    def frozen(self, words: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.material.frozen(self.batch.latents, self.batch.steps, words).sample


def negative(step: Step) -> torch.Tensor:
    """ESD: what the frozen model says without words, pushed away from what it says with them."""
    empty = step.frozen(step.empty)
    return empty - step.settings["push"] * (step.frozen(step.words) - empty)


def pseudo(step: Step) -> torch.Tensor:
    """SalUn, EraseDiff: what the model itself says of another prompt, as it is now."""
    with torch.no_grad():
        return step.pipe.unet(step.batch.latents, step.batch.steps, step.instead).sample


def anchor(step: Step) -> torch.Tensor:
    """What the frozen model says of another prompt."""
    return step.frozen(step.instead)


def alternative(step: Step) -> torch.Tensor:
    """DiMUM: the noise of other pictures (`_step`) under the concept's prompt."""
    return step.batch.wanted


#: What a model is to say of the concept, by name.
TARGETS: dict[str, Callable[[Step], torch.Tensor]] = {
    "negative": negative,
    "pseudo": pseudo,
    "anchor": anchor,
    "alternative": alternative,
}


class Blown(RuntimeError):
    """A training that stopped at a loss which is no number."""


def train(pipe, recipe: Recipe, material: Material, settings: dict) -> dict[str, np.ndarray]:
    """The weights that a recipe changes, float32 by the UNet's names; the pipeline has them then.

    settings: `recipes.resolved`. Same input and seed, same bytes on one machine. Weights outside
    the recipe's parameters, or its mask, are the frozen ones', bit by bit. Raises Blown, with the
    step, once a loss is not finite.
    """
    unet = pipe.unet.requires_grad_(False)
    pattern = PARAMETERS[recipe.parameters]
    held = {n: p for n, p in unet.named_parameters() if pattern.search(n)}
    frozen = {n: p.detach().clone() for n, p in held.items()}
    masks = salient(pipe, held, material.forget, settings) if recipe.masked else {}
    for parameter in held.values():
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam(held.values(), lr=settings["rate"])
    empty = _words(pipe, [""])
    start = time.monotonic()
    for at, (rows, draws) in enumerate(_batches(len(material.forget.prompts), settings)):
        step = _step(pipe, recipe, material, rows, draws, empty, settings)
        with torch.no_grad():
            wanted = TARGETS[recipe.forget](step)
        loss = mse_loss(predicted(pipe, step.batch, step.words), wanted)
        if settings["retain"]:
            some = material.retain.batch(rows)
            kept = noised(pipe, some.latents, draws)
            said = predicted(pipe, kept, _words(pipe, some.prompts))
            loss = loss + settings["retain"] * mse_loss(said, kept.wanted)
        if not torch.isfinite(loss):
            raise Blown(f"the loss of step {at + 1} is not a number; a lower rate may hold")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for name, mask in masks.items():
                held[name].copy_(torch.where(mask, held[name], frozen[name]))
        if (at + 1) % 20 == 0:
            left = (time.monotonic() - start) / (at + 1) * (settings["steps"] - at - 1) / 60
            told = at + 1, settings["steps"], loss.item(), left
            log.info("step %d of %d, loss %.4f, %.0f min left", *told, extra=PACE)
    unet.requires_grad_(False)
    return {n: p.detach().float().cpu().numpy().copy() for n, p in held.items()}


def _batches(n: int, settings: dict) -> Iterator[tuple[torch.Tensor, torch.Generator]]:
    """Of every step its rows and its own source of noise, by the seed and the step alone."""
    for step in range(settings["steps"]):
        draws = torch.Generator().manual_seed(1_000_003 * (settings["seed"] + 1) + step)
        yield torch.randperm(n, generator=draws)[: settings["batch"]], draws


def _step(pipe, recipe, material, rows, draws, empty, settings) -> Step:
    some, others = material.forget.batch(rows), material.retain.batch(rows)
    seen = replace(others, prompts=some.prompts) if recipe.forget == "alternative" else some
    if seen.steps is None:
        batch = noised(pipe, seen.latents, draws)
    else:
        batch = Noised(seen.latents, seen.steps, seen.latents)
    words, instead = _words(pipe, seen.prompts), _words(pipe, others.prompts)
    return Step(pipe, material, batch, words, instead, empty.expand_as(words), settings)


def _words(pipe, prompts: list[str]) -> torch.Tensor:
    with torch.no_grad():
        return embedded(pipe, prompts)


def salient(pipe, held: dict, pictures: Pictures, settings: dict) -> dict[str, torch.Tensor]:
    """SalUn's mask over all trained weights together, by |sum of gradients| of the guided loss on
    the concept's pictures: True where one may change."""
    felt = gradients(
        pipe, pictures.latents, pictures.prompts, list(held), "guided", settings["seed"]
    )
    scores = {name: np.abs(felt[f"{name}:sum"]) for name in held}
    bar = least(scores.values(), settings["share"])
    return {n: torch.from_numpy(score >= bar).to(held[n].device) for n, score in scores.items()}
