"""Detectors: the attacker's guess, from released weights alone, of which positions were erased.

Each scores every weight of a layer, higher for what looks erased. `detect` takes the highest share
of all layers together; `zeros` needs no share.
"""

from collections.abc import Mapping

import numpy as np
import torch
from regrowth.attack import DETECTORS
from regrowth.attack.settings import parted
from scipy.special import logit
from scipy.stats import poisson

#: What an attacker expects of the erased: their share of the weights at most, and how large their
#: fills are beside kept weights, which `column` can tell if they are quiet, `combined` if not.
SHARE, QUIET, LOUD = 0.05, 0.5, 1.0
ROUNDS = 20
#: Rows' worth of faith in the layer's share that a column's own share is weighed against.
FAITH = 20
#: Of the mean eigenvalue, added to the Gram matrix before it is inverted.
RIDGE = 1e-3
#: How sure a layer's zeros must be more than chance to count as pruned.
SURE = 1e-4
#: What is not zero, though all errors are.
SMALLEST = np.finfo(np.float32).tiny


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
    size = np.abs(weights[weights != 0].astype(float))
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
    return -np.abs(by_row(weights))


def column(weights: np.ndarray) -> np.ndarray:
    """Log odds that a weight is one of the erased, by their size and their column's share of them.

    Erasure takes more of some columns than of others. Two zero-mean normals, scaled by row, the
    second half as wide, with a share of it for each column, fitted by expectation-maximisation.
    """
    w = by_row(weights)
    return _mixture(w, w, np.float32(1), QUIET)


def residual(weights: np.ndarray) -> np.ndarray:
    """How badly the rest of the matrix predicts a weight: its standardised residual, without sign.

    Columns (of a layer with more rows than columns: rows) are taken for draws of one multivariate
    normal; each weight is predicted from the rest of its column by the other columns' covariance,
    which for all weights is one inversion.
    """
    error, precision = _left_out(by_row(weights))
    return np.abs(error) * np.sqrt(precision)


def combined(weights: np.ndarray) -> np.ndarray:
    """Log odds as of `column`, where a kept weight is what the rest of the matrix predicts plus an
    error, and an erased one is noise as large as kept weights."""
    w = by_row(weights)
    error, precision = _left_out(w)
    return _mixture(w, error, 1 / precision, LOUD)


def detect(layers: Mapping[str, np.ndarray], detector: str) -> dict[str, np.ndarray]:
    """Bool (out, in) for each layer. detector: a name of DETECTORS, with the share of all layers'
    weights that is taken where it is told one, such as "smallest-0.02"."""
    name, share = parted(detector)
    scores = {layer: DETECTORS[name].score(w) for layer, w in layers.items()}
    if not DETECTORS[name].share:
        return scores
    everything = np.concatenate([s.ravel() for s in scores.values()])
    n = round(share * len(everything))
    bound = np.partition(everything, len(everything) - n)[len(everything) - n] if n else np.inf
    return {layer: s >= bound for layer, s in scores.items()}


def by_row(weights: np.ndarray) -> np.ndarray:
    """float32 (out, in), each row scaled to a mean square of 1."""
    w = weights.astype(float)  # whose squares are no zeros, however small the weights
    size = np.sqrt(np.square(w).mean(axis=1, keepdims=True))
    return (w / np.where(size > 0, size, 1)).astype(np.float32)


def _left_out(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every weight's error when it is predicted from the others, and that error's precision.

    w: (out, in). The lines along the longer side are the draws, since their covariance is to be
    inverted. A line's own part in the Gram matrix is taken out by a rank-one downdate.
    """
    if len(w) > w.shape[1]:
        across = _left_out(np.ascontiguousarray(w.T))
        return np.ascontiguousarray(across[0].T), np.ascontiguousarray(across[1].T)
    n = w.shape[1]
    gram = (w @ w.T).astype(np.float64)
    gram[np.diag_indices_from(gram)] += RIDGE * (np.trace(gram) or 1) / len(gram)
    inverse = np.linalg.inv(gram)
    pulled = inverse.astype(np.float32) @ w
    left = 1 - np.minimum((pulled * w).sum(axis=0), 0.999)
    precision = np.diag(inverse).astype(np.float32)[:, None] + np.square(pulled) / left
    return pulled / left / precision, precision * n


def _mixture(w: np.ndarray, error: np.ndarray, variance, fill: float) -> np.ndarray:
    """Log odds that a weight is N(0, fill²) rather than its error N(0, c · variance).

    c and a share for each column are fitted; FAITH holds the shares to the layer's, and that is at
    most SHARE. Were the fills' size fitted, too, they would become the tails of the kept weights.
    """
    size = np.square(w)
    explained = np.square(error) / variance
    given = 0.5 * np.log(variance) - size / (2 * fill**2)
    scale, share = np.float32(1), np.full(w.shape[1], SHARE)
    total, whole = w.size, explained.sum()
    odds, p = np.empty_like(size), np.empty_like(size)
    for _ in range(ROUNDS):
        np.multiply(explained, 0.5 / scale, out=odds)
        odds += given
        odds += (logit(share) + 0.5 * np.log(scale / fill**2)).astype(np.float32)
        torch.sigmoid(torch.from_numpy(odds), out=torch.from_numpy(p))
        columns = p.sum(axis=0)
        found = columns.sum()
        if not 0 < found < total:  # pragma: no mutate: shares and sizes are held off these ends
            break  # pragma: no mutate: likewise
        scale = max(SMALLEST, np.float32((whole - np.vdot(p, explained)) / (total - found)))
        share = (columns + FAITH * found / total) / (len(w) + FAITH)
        share = np.clip(share * min(1, SHARE / share.mean()), 1e-6, 0.5)
    return odds
