"""Relearning: the released model is trained further, and comes back to what it was (DiMRA)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from regrowth.attack import TUNINGS
from regrowth.draw import patches
from regrowth.learn import lora, words
from regrowth.learn.loop import Blown, train
from regrowth.learn.pictures import Material, Pictures
from regrowth.learn.recipes import Recipe, resolved

#: The plain denoising loss. DiMRA clips gradients, which Adam's steps do not show.
SOURCE = "a reconstruction of DiMRA's, whose code was not published"


def relearn(
    pipe,
    pictures: Pictures,
    parameters: str,
    at: Sequence[int],
    settings: Mapping[str, Any],
    done: Callable[[int], None] = lambda step: None,
) -> tuple[dict[int, patches.Arrays], int | None]:
    """Patches of the UNet after each of these steps of one training, and the step that destroyed
    it, if one did: what it was before that one stands for all later ones.

    parameters: of TUNINGS. at: rising. settings: rate, batch and seed. done: is told of each of
    these steps. A training to a later step passes through what a shorter one comes to.
    """
    tuning = TUNINGS[parameters]
    recipe = Recipe(SOURCE, tuning.parameters, retain=0)
    names = lora.adapt(pipe.unet, tuning.rank, settings["seed"]) if tuning.rank else None
    found: dict[int, patches.Arrays] = {}

    def after(step: int) -> None:
        if step in at:
            changed = names or [name for name, _ in pipe.unet.named_parameters()]
            found[step] = patches.whole({name: _weight(pipe.unet, name) for name in changed})
            done(step)

    told = resolved(recipe, {**settings, "steps": max(at)})
    material = Material(pictures, pictures, pipe.unet)
    destroyed = None
    try:
        train(pipe, recipe, material, told, after=after)
    except Blown as blown:
        destroyed = blown.step
        for step in (step for step in at if step >= destroyed):
            after(step)
    if names:
        lora.settle(pipe.unet, names)
    return found, destroyed


def _weight(unet, name: str) -> np.ndarray:
    module, _, own = name.rpartition(".")
    weight = getattr(unet.get_submodule(module), own)
    return weight.detach().float().cpu().numpy().copy()


def learn_word(
    pipe,
    pictures: Pictures,
    name: str,
    at: Sequence[int],
    settings: Mapping[str, Any],
    done: Callable[[int], None] = lambda step: None,
) -> tuple[dict[int, patches.Arrays], int | None]:
    """The same of a word that is to mean the concept: its embedding after each of these steps."""
    found: dict[int, patches.Arrays] = {}
    last = words.start(pipe, name)

    def after(step: int, vector) -> None:
        nonlocal last
        last = vector
        if step in at:
            found[step] = {patches.WORD: last.float().cpu().numpy().copy()}
            done(step)

    try:
        words.invert(pipe, pictures, name, {**settings, "steps": max(at)}, after)
    except words.Blown as blown:
        for step in (step for step in at if step >= blown.step):
            after(step, last)
        return found, blown.step
    return found, None
