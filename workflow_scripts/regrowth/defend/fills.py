"""Defences: what fills the erased positions of released weights, so that they do not tell.

Each takes weights (out, in) with zeros at the erased positions, mask (bool, True where erased),
sigma (its strength) and a generator, and returns a copy in the weights' dtype. Some take what
`nuclear` completes the weights to as well: (n_erased,), row-major.
"""

import numpy as np


def gaussian(weights, mask, sigma, rng) -> np.ndarray:
    """Erased positions ← N(0, σ_m²) (Roots Beneath the Cut, section 6), σ_m being sigma times the
    standard deviation of the layer's kept weights."""
    spread = weights[~mask].astype(np.float64).std()
    return gaussian_absolute(weights, mask, sigma * spread, rng)


def gaussian_absolute(weights, mask, sigma, rng) -> np.ndarray:
    """Erased positions ← N(0, sigma²)."""
    return _filled(weights, mask, rng.normal(0, sigma, int(mask.sum())))


def uniform(weights, mask, sigma, rng) -> np.ndarray:
    """Erased positions ← evenly within ± sigma / √(inputs): at 1 as a layer is drawn anew
    (Kaiming), which is what Scissorhands fills with."""
    bound = sigma / np.sqrt(weights.shape[1])
    return _filled(weights, mask, rng.uniform(-bound, bound, int(mask.sum())))


def constant(weights, mask, sigma, rng) -> np.ndarray:
    """Erased positions ← sigma, as Scissorhands tries 1 (Table 4). Not random."""
    return _filled(weights, mask, np.full(int(mask.sum()), float(sigma)))


def row(weights, mask, sigma, rng) -> np.ndarray:
    """Each erased position takes sigma times a weight drawn from those its row has kept."""
    return _filled(weights, mask, sigma * _drawn(weights, mask, rng))


def decoy(weights, mask, sigma, rng) -> np.ndarray:
    """No fill: sigma times as many kept weights, each row's smallest, are zeroed as well.

    They cost the model little, and an attacker who takes every zero for an erased weight gives
    them their row's largest magnitude. Not random.
    """
    size = np.where(mask, np.inf, np.abs(weights.astype(np.float32)))
    kept = np.isfinite(size).sum(axis=1)
    n = np.minimum(np.rint(sigma * mask.sum(axis=1)).astype(int), kept)
    rank = np.argsort(np.argsort(size, axis=1, kind="stable"), axis=1, kind="stable")
    return np.where(rank < n[:, None], 0, weights).astype(weights.dtype)


def flip(weights, mask, sigma, rng, completed) -> np.ndarray:
    """Each erased position takes sigma times a magnitude drawn from its row's kept weights, with
    the sign that the completion does not believe in.

    completed: (n_erased,), row-major, as a solver completes `weights` at `mask`.
    """
    return _filled(weights, mask, -np.sign(completed) * sigma * np.abs(_drawn(weights, mask, rng)))


def surrogate(weights, mask, sigma, rng, completed) -> np.ndarray:
    """Each erased position takes what completion predicts plus white noise, so that together they
    have sigma times the standard deviation of the layer's kept weights.

    A detector that asks how well the rest of the matrix predicts a weight is told what it wants to
    hear; the price is that the prediction, faint as it is, is there to be read. completed: as in
    `flip`.
    """
    scale = sigma * weights[~mask].astype(np.float64).std()
    completed = np.asarray(completed, np.float64)
    size = np.sqrt(np.square(completed).mean()) if len(completed) else 0
    told = completed * (min(1, scale / size) if size else 1)
    noise = np.sqrt(max(0, scale**2 - np.square(told).mean())) if len(told) else 0
    return _filled(weights, mask, told + rng.normal(0, noise, len(told)))


def _drawn(weights, mask, rng) -> np.ndarray:
    """A kept weight of its row for every erased position, (n_erased,), row-major. A row that has
    kept none draws from the layer."""
    layer = weights[~mask]
    rows = (
        rng.choice(layer if gone.all() else w[~gone], gone.sum()) for w, gone in zip(weights, mask)
    )
    return np.concatenate([*rows, np.empty(0)])


def _filled(weights, mask, values) -> np.ndarray:
    filled = weights.copy()
    filled[mask] = values.astype(weights.dtype)
    return filled
