"""Revival: Top-K sign retention, then a magnitude for every kept sign."""

import math

import numpy as np
from regrowth.attack.magnitudes import magnitudes


def top_k(completed: np.ndarray, k: float) -> np.ndarray:
    """Which completed values are kept: the ceil(k * n) largest by magnitude.

    completed: (n,). k in (0, 1]. Returns bool (n,). Ties go to the earlier position.
    """
    keep = np.zeros(len(completed), bool)
    order = np.argsort(-np.abs(completed), kind="stable")
    keep[order[: math.ceil(k * len(completed) - 1e-9)]] = True
    return keep


def generator(weight_seed: str, layer: str) -> np.random.Generator:
    """What fills and magnitudes of one layer are drawn with: each layer has a stream of its own.

    weight_seed: as it stands in paths; "none" is 0.
    """
    return np.random.default_rng(
        [0 if weight_seed == "none" else int(weight_seed), *layer.encode()]
    )


def revive(
    weights: np.ndarray,
    missing: np.ndarray,
    completed: np.ndarray,
    k: float,
    magnitude: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """Values for the missing positions: kept signs times magnitudes, the others 0.

    weights, missing: (out, in); completed: (n_missing,), row-major. Returns float32 (n_missing,).
    """
    keep = top_k(completed, k)
    size = magnitudes(weights, missing, magnitude, rng)
    return np.where(keep, np.sign(completed) * size, 0).astype(np.float32)
