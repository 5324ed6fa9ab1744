"""Revival: Top-K sign retention, then a magnitude for every kept sign."""

import math

import numpy as np


def top_k(completed: np.ndarray, k: float) -> np.ndarray:
    """Which completed values are kept: the ceil(k * n) largest by magnitude.

    completed: (n,). k in (0, 1]. Returns bool (n,). Ties go to the earlier position.
    """
    keep = np.zeros(len(completed), bool)
    order = np.argsort(-np.abs(completed), kind="stable")
    keep[order[: math.ceil(k * len(completed) - 1e-9)]] = True
    return keep


def magnitudes(
    weights: np.ndarray, missing: np.ndarray, kind: str, rng: np.random.Generator
) -> np.ndarray:
    """A magnitude for every missing position, from its row's unpruned weights.

    weights, missing: (out, in). kind: "max" (Neuron-Max Scaling), "mean" or "sample" (drawn from
    the row's own magnitudes). Returns (n_missing,), in row-major order. A row with nothing
    unpruned takes the whole layer's. Raises ValueError if the layer has nothing unpruned.
    """
    if missing.all():
        raise ValueError("nothing is unpruned: there is no magnitude to take")
    size = np.abs(weights)
    whole = size[~missing]
    out = []
    for row, gone in zip(size, missing):
        n = int(gone.sum())
        if not n:
            continue
        kept = row[~gone] if not gone.all() else whole
        if kind == "max":
            out.append(np.full(n, kept.max()))
        elif kind == "mean":
            out.append(np.full(n, kept.mean()))
        elif kind == "sample":
            out.append(rng.choice(kept, n))
        else:
            raise ValueError(f"unknown magnitude {kind!r}; known: max, mean, sample")
    return np.concatenate(out) if out else np.empty(0, size.dtype)


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
