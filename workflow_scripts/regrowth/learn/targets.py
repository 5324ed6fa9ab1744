"""What a model is to say: of the concept, and of what must stay."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from regrowth.learn.losses import Noised, embedded, noised, predicted
from regrowth.learn.pictures import Material
from regrowth.learn.recipes import Recipe
from torch.nn.functional import mse_loss, relu


@dataclass(frozen=True)
class Step:
    """One batch: the concept's, noised, with the words of its prompts and of the others'; and the
    others' own, `kept`, with theirs, `beside`."""

    at: int
    pipe: Any
    recipe: Recipe
    material: Material
    batch: Noised
    words: torch.Tensor
    kept: Noised
    beside: torch.Tensor
    empty: torch.Tensor
    settings: dict

    def frozen(self, words: torch.Tensor) -> torch.Tensor:
        """What the frozen model says of the concept's batch."""
        return self.material.frozen(self.batch.latents, self.batch.steps, words).sample

    def forget(self) -> torch.Tensor:
        """The loss on the concept. Raised up to `bound` rather than lowered, it is how far each
        picture's error is from there, so that it is lowered as the others are."""
        with torch.no_grad():
            wanted = TARGETS[self.recipe.target](self)
        said = predicted(self.pipe, self.batch, self.words)
        if not self.recipe.away:
            return mse_loss(said, wanted)
        errors = (said - wanted).square().flatten(1).mean(1)
        bound = self.settings.get("bound")
        return -errors.mean() if bound is None else relu(bound - errors).mean()

    def retain(self) -> torch.Tensor:
        """The loss on the others."""
        with torch.no_grad():
            wanted = HELD[self.recipe.held](self)
        return mse_loss(predicted(self.pipe, self.kept, self.beside), wanted)

    def tuning(self) -> torch.Tensor:
        """What a later user's training would lower, on the others' pictures."""
        return mse_loss(predicted(self.pipe, self.kept, self.beside), self.kept.wanted)


def noise(step: Step) -> torch.Tensor:
    """The noise itself."""
    return step.batch.wanted


def negative(step: Step) -> torch.Tensor:
    """ESD: what the frozen model says without words, pushed away from what it says with them."""
    empty = step.frozen(step.empty)
    return empty - step.settings["push"] * (step.frozen(step.words) - empty)


def pseudo(step: Step) -> torch.Tensor:
    """SalUn, EraseDiff: what the model itself says of another prompt, as it is now."""
    return step.pipe.unet(step.batch.latents, step.batch.steps, step.beside).sample


def warmed(step: Step) -> torch.Tensor:
    """Sculpting Memory: the same, once the noise itself has shown which weights matter."""
    return noise(step) if step.at < step.settings["warmup"] else pseudo(step)


def anchor(step: Step) -> torch.Tensor:
    """What the frozen model says of another prompt."""
    return step.frozen(step.beside)


def alternative(step: Step) -> torch.Tensor:
    """DiMUM, Selective Amnesia: the noise of other pictures (`made`) under the concept's prompt."""
    return step.batch.wanted


#: What a model is to say of the concept, by name.
TARGETS: dict[str, Callable[[Step], torch.Tensor]] = {
    "noise": noise,
    "negative": negative,
    "pseudo": pseudo,
    "warmed": warmed,
    "anchor": anchor,
    "alternative": alternative,
}


def replayed(step: Step) -> torch.Tensor:
    """The noise itself."""
    return step.kept.wanted


def frozen(step: Step) -> torch.Tensor:
    """Model Integrity, ResAlign: what the frozen model says of the others' pictures."""
    return step.material.frozen(step.kept.latents, step.kept.steps, step.beside).sample


#: What it is to say of the others.
HELD: dict[str, Callable[[Step], torch.Tensor]] = {"noise": replayed, "frozen": frozen}


def made(
    pipe,
    recipe: Recipe,
    material: Material,
    at: int,
    rows: torch.Tensor,
    draws: torch.Generator,
    settings: dict,
) -> Step:
    """The step's batches: those rows of the pictures, noised by those draws."""
    some, others = material.forget.batch(rows), material.retain.batch(rows)
    seen = replace(others, prompts=some.prompts) if recipe.target == "alternative" else some
    if seen.steps is None:
        batch = noised(pipe, seen.latents, draws)
    else:
        batch = Noised(seen.latents, seen.steps, seen.latents)
    with torch.no_grad():
        words, beside = embedded(pipe, seen.prompts), embedded(pipe, others.prompts)
        empty = embedded(pipe, [""]).expand_as(words)
    kept = noised(pipe, others.latents, draws)
    return Step(at, pipe, recipe, material, batch, words, kept, beside, empty, settings)
