"""Magnitudes: what a kept sign is given, from what the row and its layer have kept.

Each takes row and layer, the values that are left of them, n and a generator, and returns n values.
"""

import numpy as np
from regrowth.attack import MAGNITUDES


def largest(row, layer, n, rng) -> np.ndarray:
    """Neuron-Max Scaling (Roots Beneath the Cut, section 4)."""
    return np.full(n, row.max())


def mean(row, layer, n, rng) -> np.ndarray:
    return np.full(n, row.mean())


def sample(row, layer, n, rng) -> np.ndarray:
    """Drawn from the row's own."""
    return rng.choice(row, n)


def normal_sample(row, layer, n, rng) -> np.ndarray:
    """The paper's Neuron Sample: N(μ, σ²) of the row's own weights, signs and all."""
    return rng.normal(row.mean(), row.std(), n)


def layer_sample(row, layer, n, rng) -> np.ndarray:
    """Drawn from the whole layer's."""
    return rng.choice(layer, n)


def from_unpruned(
    values: np.ndarray, missing: np.ndarray, name: str, rng: np.random.Generator
) -> np.ndarray:
    """A value for every missing position, taken from its row's values elsewhere.

    values, missing: (out, in). name: one of `MAGNITUDES`. Returns (n_missing,), row-major. A row
    with nothing unpruned takes the whole layer's. Raises ValueError if the layer has nothing
    unpruned, or on another name.
    """
    if missing.all():
        raise ValueError("nothing is unpruned: there is no magnitude to take")
    take, layer = MAGNITUDES[name].take, values[~missing]
    out = [
        take(layer if gone.all() else row[~gone], layer, int(gone.sum()), rng)
        for row, gone in zip(values, missing)
        if gone.any()
    ]
    return np.concatenate(out) if out else np.empty(0, values.dtype)


def magnitudes(
    weights: np.ndarray, missing: np.ndarray, name: str, rng: np.random.Generator
) -> np.ndarray:
    """A magnitude for every missing position, from the unpruned weights.

    weights, missing: (out, in). name: one of `MAGNITUDES`. Returns (n_missing,), row-major. Raises
    as `from_unpruned` does.
    """
    if MAGNITUDES[name].signed:
        return np.abs(from_unpruned(weights.astype(np.float32), missing, name, rng))
    return from_unpruned(np.abs(weights), missing, name, rng)
