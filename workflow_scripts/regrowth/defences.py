"""Defences, which fill the erased positions, and detectors, which guess where they are."""

import numpy as np


def gaussian_fill(
    weights: np.ndarray, mask: np.ndarray, sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """Erased positions ← N(0, (sigma * s)^2), s the standard deviation of the kept weights.

    weights: (out, in); mask: bool (out, in), True where erased. Returns a copy in weights' dtype.
    """
    filled = weights.copy()
    scale = sigma * weights[~mask].astype(np.float64).std()
    filled[mask] = rng.normal(0, scale, int(mask.sum())).astype(weights.dtype)
    return filled


def zeros(weights: np.ndarray) -> np.ndarray:
    """The attacker's plainest guess: what is exactly zero was erased. bool (out, in)."""
    return weights == 0
