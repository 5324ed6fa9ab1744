"""Detectors: the attacker's guess, from released weights alone, of which positions were erased.

A detector scores every weight of a layer, higher for what looks erased. `detect` takes the highest
share of all layers together; `zeros` needs no share.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import expit, logit
from scipy.stats import poisson

#: Where the search for two kinds of weights starts: the share of the erased, and their scale.
SHARE, SCALE = 0.02, 0.5
ROUNDS = 20
#: Rows' worth of faith in the layer's share that a column's own share is weighed against.
FAITH = 20
#: Of the mean eigenvalue, added to the Gram matrix before it is inverted.
RIDGE = 1e-3
#: How sure a layer's zeros must be more than chance to count as pruned.
SURE = 1e-4


def zeros(weights: np.ndarray) -> np.ndarray:
    """What is exactly zero and was pruned: bool (out, in).

    Weights can round to zero by themselves, in half precision above all. As many as that are
    expected where the weights near zero are dense and the dtype's smallest step wide; zeros that a
    Poisson count of this mean explains are natural, and the layer counts as not pruned.
    """
    found = weights == 0
    return found if found.sum() > natural_zeros(weights) else np.zeros_like(found)


def natural_zeros(weights: np.ndarray) -> int:
    """The most weights of a layer that round to zero by themselves, at odds of 1 in 10,000."""
    size = np.abs(weights[weights != 0].astype(np.float64))
    if not len(size):
        return 0
    near = np.quantile(size, 0.05)
    step = float(np.finfo(weights.dtype).smallest_subnormal)
    return int(poisson.isf(SURE, 0.05 * len(size) * step / 2 / near))


def smallest(weights: np.ndarray) -> np.ndarray:
    """The smaller, the more suspicious."""
    return -np.abs(weights.astype(np.float32))


def row(weights: np.ndarray) -> np.ndarray:
    """The smaller within its row, the more suspicious."""
    return -np.abs(_by_row(weights))


def column(weights: np.ndarray) -> np.ndarray:
    """Log odds that a weight is one of the erased, by their size and their column's share of them.

    Erasure takes more of some columns than of others. Two zero-mean normals, scaled by row, with a
    share of the second kind for each column, fitted by expectation-maximisation.
    """
    w = _by_row(weights)
    return _mixture(w, w, np.ones((len(w), 1), np.float32))


def residual(weights: np.ndarray) -> np.ndarray:
    """How badly the rest of the matrix predicts a weight: its standardised residual, without sign.

    Columns are taken for draws of one multivariate normal; each weight is predicted from the rest
    of its column by the other columns' covariance, which for all weights is one inversion.
    """
    error, precision = _left_out(_by_row(weights))
    return np.abs(error) * np.sqrt(precision)


def combined(weights: np.ndarray) -> np.ndarray:
    """Log odds as of `column`, where a kept weight is what the rest of the matrix predicts plus an
    error, and an erased one is noise."""
    w = _by_row(weights)
    error, precision = _left_out(w)
    return _mixture(w, error, 1 / precision)


#: Those that score; the highest scores are taken.
SCORES = {
    "smallest": smallest,
    "row": row,
    "column": column,
    "residual": residual,
    "combined": combined,
}


def detect(layers: Mapping[str, np.ndarray], detector: str) -> dict[str, np.ndarray]:
    """Bool (out, in) for each layer. detector: "zeros", or a name of SCORES with the share of all
    layers' weights that is taken, such as "smallest-0.02"."""
    if detector == "zeros":
        return {name: zeros(w) for name, w in layers.items()}
    name, share = detector.rsplit("-", 1)
    scores = {layer: SCORES[name](w) for layer, w in layers.items()}
    everything = np.concatenate([s.ravel() for s in scores.values()])
    n = round(float(share) * len(everything))
    bound = np.partition(everything, len(everything) - n)[len(everything) - n] if n else np.inf
    return {layer: s >= bound for layer, s in scores.items()}


def _by_row(weights: np.ndarray) -> np.ndarray:
    """float32 (out, in), each row scaled to a mean square of 1."""
    w = weights.astype(np.float32)
    size = np.sqrt(np.square(w).mean(axis=1, keepdims=True))
    return w / np.where(size > 0, size, 1)


def _left_out(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every weight's error when it is predicted from the others, and that error's precision.

    w: (out, in). A column's own part in the Gram matrix is taken out by a rank-one downdate.
    """
    n = w.shape[1]
    gram = (w @ w.T).astype(np.float64)
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram)
    inverse = np.linalg.inv(gram)
    pulled = inverse.astype(np.float32) @ w
    left = 1 - np.minimum((pulled * w).sum(axis=0), 0.999)
    precision = np.diag(inverse).astype(np.float32)[:, None] + np.square(pulled) / left
    return pulled / left / precision, precision * n


def _mixture(w: np.ndarray, error: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Log odds that a weight is N(0, σ_m²) rather than its error N(0, c · variance).

    σ_m, c and a share for each column are fitted; FAITH holds the shares to the layer's.
    """
    explained, size = np.square(error) / variance, np.square(w)
    scale, fill = np.float32(1), np.float32(SCALE**2)
    share = np.full(w.shape[1], SHARE, np.float32)
    total = w.size
    for _ in range(ROUNDS):
        odds = logit(share) + 0.5 * (
            np.log(scale * variance / fill) + explained / scale - size / fill
        )
        p = expit(odds)
        found = p.sum()
        if not 0 < found < total:
            break
        fill = max((p * size).sum() / found, np.float32(1e-12))
        scale = (explained.sum() - (p * explained).sum()) / (total - found)
        share = (p.sum(axis=0) + FAITH * found / total) / (len(w) + FAITH)
        share = np.clip(share, 1e-6, 0.5)
    return odds
