"""ConceptPrune: weights that matter for the concept and not for what it is held against."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from regrowth.settings import Count, Number, Strict

Ratio = Annotated[float, Number, Field(gt=0, lt=1)]


class Settings(Strict):
    """ConceptPrune's settings: the ratio rho and the number of denoising steps tau."""

    ratio: Ratio
    steps: Count


class ByKind(Strict):
    """For each kind of concept; ratio and steps, where they are given, are every kind's."""

    object: Settings = Settings(ratio=0.02, steps=10)
    style: Settings = Settings(ratio=0.02, steps=10)
    prompts: Settings = Settings(ratio=0.01, steps=10)
    ratio: Ratio | None = None
    steps: Count | None = None

    def of(self, kind: str) -> dict[str, Any]:
        """The settings that a concept of this kind is erased with."""
        every = {"ratio": self.ratio, "steps": self.steps}
        told = {name: value for name, value in every.items() if value is not None}
        return getattr(self, kind).model_dump() | told


def mask(
    weights: np.ndarray, norms: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> np.ndarray:
    """`conceptprune_mask`, as `Eraser.mask` is called."""
    return conceptprune_mask(weights, norms["target"], norms["base"], settings["ratio"])


def conceptprune_mask(
    weights: np.ndarray, target: np.ndarray, base: np.ndarray, ratio: float
) -> np.ndarray:
    """The positions that ConceptPrune erases (ConceptPrune).

    A weight's score is |W| times its column's activation norm. At each step a weight is chosen if
    it is in its row's top `ratio` share by the target's score and its target score exceeds its
    base score; the mask is the union over the steps.

    weights: (out, in). target, base: column norms, (steps, in). ratio: the share of a row, at
    least one weight. Returns bool (out, in).
    """
    top = max(1, int(ratio * weights.shape[1]))
    magnitude = np.abs(weights).astype(np.float32)
    mask = np.zeros(weights.shape, bool)
    for towards, away in zip(target, base, strict=True):
        score = magnitude * towards
        best = np.argpartition(-score, top - 1)[:, :top]
        chosen = np.zeros_like(mask)
        np.put_along_axis(chosen, best, True, axis=1)
        mask |= chosen & (score > magnitude * away)
    return mask
