"""Masks: ConceptPrune's choice of weights."""

import numpy as np


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
