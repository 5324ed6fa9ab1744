"""Revival: Top-K sign retention, then a magnitude for every kept sign."""

import math

import numpy as np

#: What n missing positions of a row take from the unpruned values of the row and of the layer.
KINDS = {
    "max": lambda row, layer, n, rng: np.full(n, row.max()),
    "mean": lambda row, layer, n, rng: np.full(n, row.mean()),
    "sample": lambda row, layer, n, rng: rng.choice(row, n),
    "normal-sample": lambda row, layer, n, rng: rng.normal(row.mean(), row.std(), n),
    "layer-sample": lambda row, layer, n, rng: rng.choice(layer, n),
}


def top_k(completed: np.ndarray, k: float) -> np.ndarray:
    """Which completed values are kept: the ceil(k * n) largest by magnitude.

    completed: (n,). k in (0, 1]. Returns bool (n,). Ties go to the earlier position.
    """
    keep = np.zeros(len(completed), bool)
    order = np.argsort(-np.abs(completed), kind="stable")
    keep[order[: math.ceil(k * len(completed) - 1e-9)]] = True
    return keep


def from_unpruned(
    values: np.ndarray, missing: np.ndarray, kind: str, rng: np.random.Generator
) -> np.ndarray:
    """A value for every missing position, taken from its row's values elsewhere.

    values, missing: (out, in). kind: one of `KINDS`. Returns (n_missing,), row-major. A row with
    nothing unpruned takes the whole layer's. Raises ValueError if the layer has nothing unpruned.
    """
    if missing.all():
        raise ValueError("nothing is unpruned: there is no magnitude to take")
    if kind not in KINDS:
        raise ValueError(f"unknown magnitude {kind!r}; known: {', '.join(KINDS)}")
    layer = values[~missing]
    out = [
        KINDS[kind](layer if gone.all() else row[~gone], layer, int(gone.sum()), rng)
        for row, gone in zip(values, missing)
        if gone.any()
    ]
    return np.concatenate(out) if out else np.empty(0, values.dtype)


def magnitudes(
    weights: np.ndarray, missing: np.ndarray, kind: str, rng: np.random.Generator
) -> np.ndarray:
    """A magnitude for every missing position, from the unpruned weights.

    weights, missing: (out, in). kind: "max" (Neuron-Max Scaling), "mean" or "sample" (drawn), of
    the row's own magnitudes; "layer-sample", drawn from the layer's; "normal-sample" (the paper's
    Neuron Sample), |N(μ, σ²)| of the row's own weights, signs and all. Returns (n_missing,), in
    row-major order. Raises ValueError on another kind, or if the layer has nothing unpruned.
    """
    if kind == "normal-sample":
        return np.abs(from_unpruned(weights.astype(np.float32), missing, kind, rng))
    return from_unpruned(np.abs(weights), missing, kind, rng)


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
    kind: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """Values for the missing positions: kept signs times magnitudes, the others 0.

    weights, missing: (out, in); completed: (n_missing,), row-major. Returns float32 (n_missing,).
    """
    keep = top_k(completed, k)
    size = magnitudes(weights, missing, kind, rng)
    return np.where(keep, np.sign(completed) * size, 0).astype(np.float32)
