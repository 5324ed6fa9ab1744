"""What was done to a weight matrix, from its weights alone, and held against the base's.

Matrices are float32 (out, in); of a convolution a row is a filter.
"""

from dataclasses import dataclass

import numpy as np
from regrowth.attack import detectors
from regrowth.erase import checkpoints
from regrowth.files import tensors

#: Of a matrix's weights: fewer zeros are no pruning. Sums in half precision are zero, too.
FEWEST = 5e-4
#: At most this share of a matrix changed: then the others were left on purpose.
SPARSE = 0.5
#: A difference of at most this share of its smaller side is low in rank.
LOW = 0.25
#: Of the largest singular value of a difference, what is nothing but the sum's own rounding.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Trace:
    """zeros: weights that are exactly zero; natural: how many of these may be so by themselves, at
    most; pruned: those that are more than chance and than FEWEST, all or none; rows, columns: of
    these, whole ones."""

    name: str
    shape: tuple[int, int]
    zeros: int
    natural: int
    pruned: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Difference:
    """changed: weights that are not the base's, in whatever precision; zeroed: of them, zero now;
    moved: their distance to what they were, squared, in shares of that; cosine: of the whole matrix
    to the base's. rank: of the difference; None if it is not low, or few weights are changed."""

    name: str
    shape: tuple[int, int]
    changed: int
    zeroed: int
    moved: float
    cosine: float
    rank: int | None

    @property
    def density(self) -> float:
        return self.changed / self.size

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]


def grain(weights: np.ndarray) -> np.ndarray:
    """The weights in the coarsest precision that holds each of them: half, else single. What was
    stored in half and widened later has half precision's natural zeros."""
    with np.errstate(over="ignore"):
        half = weights.astype(np.float16)
    return half if (half.astype(np.float32) == weights).all() else weights


def holes(weights: np.ndarray) -> np.ndarray:
    """Bool (out, in): zeros that were pruned, by `detectors.zeros`. Of a matrix that is nothing but
    zeros, all."""
    return detectors.zeros(grain(weights))


def trace(name: str, weights: np.ndarray) -> Trace:
    """What one matrix tells of itself."""
    zeros = weights.size - int(np.count_nonzero(weights))
    if zeros < FEWEST * weights.size:
        return Trace(name, weights.shape, zeros, zeros, 0, 0, 0)
    typed = grain(weights)
    natural = detectors.natural_zeros(typed)
    gone = weights == 0 if zeros > natural else np.zeros(weights.shape, bool)
    whole = [int(gone.all(axis=axis).sum()) for axis in (1, 0)]
    return Trace(name, weights.shape, zeros, natural, int(gone.sum()), *whole)


def difference(name: str, weights: np.ndarray, base: np.ndarray) -> Difference:
    """What one matrix tells beside the base's of the same shape."""
    moved = changed(weights, base)
    count = int(moved.sum())
    if not count:
        return Difference(name, weights.shape, 0, 0, 0.0, 1.0, 0)
    now, was = weights.astype(np.float64), base.astype(np.float64)
    before = np.square(was[moved]).sum()
    by = np.square(now - was)[moved].sum() / before if before else np.inf
    lengths = np.linalg.norm(now) * np.linalg.norm(was)
    cosine = float(np.vdot(now, was) / lengths) if lengths else 0.0
    zeroed = int((moved & (weights == 0)).sum())
    low = rank(weights, base) if count > SPARSE * weights.size else None
    return Difference(name, weights.shape, count, zeroed, float(by), cosine, low)


def changed(weights: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Bool: where weights are not the base's, in whatever precision either is kept; what is zero in
    both is not changed, nor is what a coarser precision rounds to zero."""
    return ~checkpoints.same(weights, base)


def rank(weights: np.ndarray, base: np.ndarray) -> int | None:
    """Of the difference of two matrices, the singular values above what rounding leaves; None if
    they are more than LOW of the smaller side.

    By a sketch (Halko, Martinsson and Tropp, 2011, algorithm 4.1): the difference times a few more
    random columns than that, whose span holds all of it if its rank is low.
    """
    most = max(1, int(LOW * min(weights.shape)))
    d = weights.astype(np.float64) - base.astype(np.float64)
    noise = np.sqrt(np.square(_steps(weights)).mean() + np.square(_steps(base)).mean())
    noise *= np.sqrt(d.shape).sum()
    draw = np.random.default_rng(0).normal(size=(d.shape[1], most + 8))
    span, _ = np.linalg.qr(d @ draw)
    told = span.T @ d
    sizes = np.sqrt(np.maximum(np.linalg.eigvalsh(told @ told.T), 0))
    bar = max(ROUNDING * sizes[-1], 2 * noise)
    left = np.linalg.norm(d - span @ told)
    found = int((sizes > bar).sum())
    room = noise * np.sqrt(min(d.shape)) + ROUNDING * np.linalg.norm(d)
    return found if found <= most and left <= room else None


def _steps(weights: np.ndarray) -> np.ndarray:
    """The root mean square of what rounding may have moved each weight by: in half precision or
    bfloat16, if all are such, else in single precision."""
    if grain(weights).dtype == np.float16:
        return np.spacing(np.abs(weights.astype(np.float16))).astype(np.float64) / np.sqrt(12)
    bits = 8 if (tensors.bfloat16(weights) == weights).all() else 23
    return np.abs(weights).astype(np.float64) * 2.0**-bits / np.sqrt(12)
