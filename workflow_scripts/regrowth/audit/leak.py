"""How much leaks, before any picture is made: the share of lost signs that completion gets right.

Nobody who audits a file knows its lost signs. But some of what is there can be hidden, too, and
completed: how often the solver is right about these says how far its own certainty is to be
believed, and with that its certainty about what is lost becomes a share (Platt scaling with one
parameter, on the solver's log odds).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from regrowth.attack.blind import HIDDEN, hide
from regrowth.complete.engine import complete_all
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit
from scipy.stats import norm

Layers = Mapping[str, tuple[np.ndarray, np.ndarray]]
SOLVER = "gauss-spin"
#: How far off the estimate was at most, of the bundled model pruned for eight concepts in five
#: strengths, and at random (docs/audit.md). Of MiniLM it was .08 to .12 too low.
OFF = 0.035
#: `largest` above which what is missing counts as the largest of its columns, and `smallest` above
#: which it counts as the smallest of its layer.
LARGE, SMALL = 0.1, 0.5
#: Weights that a column has to have kept to tell how large they are.
KEPT = 8
SURE = 0.999


@dataclass(frozen=True)
class Leak:
    """accuracy: the estimated share of lost signs that completion gets right, .5 for a guess, at
    most `error` off. missing, hidden: weights; right: of the hidden ones, whose signs were got
    right. taken: what is missing was chosen for being "large" or "small", or whatever its size,
    "any"."""

    accuracy: float
    error: float
    missing: int
    hidden: int
    right: float
    taken: str

    @property
    def low(self) -> float:
        """What is hidden is larger than what is missing where that was small, and easier told."""
        return 0.5 if self.taken == "small" else max(0.0, self.accuracy - self.error)

    @property
    def high(self) -> float:
        return min(1.0, self.accuracy + self.error)

    @property
    def told(self) -> bool:
        """Whether the hidden signs were got right surely more often than by a guess."""
        return self.right - norm.isf(0.025) * np.sqrt(0.25 / self.hidden) > 0.5


def estimate(layers: Layers, device: str = "cpu") -> Leak | None:
    """layers: (weights (out, in), missing) by name; what stands at missing positions is ignored.

    None where nothing is missing, or nothing can be hidden. Raises as `complete_all` does.
    """
    cut = {name: pair for name, pair in layers.items() if pair[1].any()}
    how = taken(cut)
    rng = np.random.default_rng(0)
    hidden = {name: hidden_like(*pair, how, rng) for name, pair in cut.items()}
    fewer = {name: (weights, gone | hidden[name]) for name, (weights, gone) in cut.items()}
    sure, truth = [], []
    for name, done in complete_all(fewer, SOLVER, device).items():
        if done.sure is not None:
            sure.append(done.sure[hidden[name][fewer[name][1]]])
            truth.append(np.sign(fewer[name][0][hidden[name]]))
    known = np.concatenate([*truth, np.empty(0)])
    told = np.concatenate([*sure, np.empty(0)])[known != 0]
    right = np.sign(told) == known[known != 0]
    if not len(right):
        return None
    missing = sum(int(gone.sum()) for _, gone in cut.values())
    if how == "large":
        every = complete_all(cut, SOLVER, device).values()
        lost = np.concatenate([one.sure for one in every if one.sure is not None])
        accuracy = float(expit(trust(told, right) * _odds(lost)).mean())
    else:
        bare = sum(_bare(gone) for _, gone in cut.values()) / missing
        accuracy = float(0.5 * bare + right.mean() * (1 - bare))
    error = float(np.hypot(OFF, norm.isf(0.025) * np.sqrt(0.25 / len(right))))
    return Leak(accuracy, error, missing, len(right), float(right.mean()), how)


def _bare(missing: np.ndarray) -> int:
    """What is missing in whole rows and columns, of which nothing tells a sign."""
    rows, columns = missing.all(axis=1), missing.all(axis=0)
    return int(missing[rows].sum() + missing[~rows][:, columns].sum())


def taken(layers: Layers) -> str:
    """Whether what is missing was taken for being "large" or "small", or whatever its size, "any".
    layers: as `estimate` takes them."""
    if smallest(layers) > SMALL:
        return "small"
    return "large" if largest(layers) > LARGE else "any"


def hidden_like(
    weights: np.ndarray, missing: np.ndarray, how: str, rng: np.random.Generator
) -> np.ndarray:
    """Observed weights, bool (out, in), that would have been taken next: of each column HIDDEN
    times as many as it lacks, and never its last. how: as `taken` tells."""
    if how == "large":
        return hide(weights, missing)
    quota = np.diff(np.floor(HIDDEN * np.cumsum(missing.sum(axis=0))), prepend=0)
    quota = np.minimum(quota, np.maximum((~missing).sum(axis=0) - 1, 0))
    order = np.abs(weights) if how == "small" else rng.random(missing.shape)
    order = np.where(missing, np.inf, order)
    return np.argsort(np.argsort(order, axis=0), axis=0) < quota


def smallest(layers: Layers) -> float:
    """How far what is missing was the smallest of its layer: 1 if all of it, 0 if its size did not
    count. A share f of normal weights lies within ± Φ⁻¹((1 + f) / 2) deviations: of those that are
    kept no weight does, if that is what was taken."""
    seen, expected = 0, 0.0
    for weights, missing in layers.values():
        kept = np.abs(weights[~missing].astype(np.float64))
        share = missing.mean()
        if not kept.any():
            continue
        seen += int((kept < norm.ppf((1 + share) / 2) * np.sqrt(np.square(kept).mean())).sum())
        expected += share * len(kept)
    return 1 - seen / expected if expected else 0.0


def largest(layers: Layers) -> float:
    """How far what is missing was the largest of its column: 1 if all of it, 0 if its size did not
    count.

    Seen is each column's largest kept weight in shares of its root mean square. Of normal weights
    whose largest share f is gone that is z / √(1 − 2zφ(z) / (1 − f)), z = Φ⁻¹(1 − f/2); of k that
    were left at random the median is Φ⁻¹((1 + 2^(−1/k)) / 2).
    """
    seen, expected = 0.0, 0.0
    for weights, missing in layers.values():
        gone = missing.sum(axis=0)
        kept = len(missing) - gone
        use = (gone > 0) & (kept >= KEPT)
        size = np.where(missing, 0, np.abs(weights)).astype(np.float64)[:, use]
        gone, kept = gone[use], kept[use]
        size = size[:, (some := size.any(axis=0))]
        gone, kept = gone[some], kept[some]
        share = gone / len(missing)
        z = norm.isf(share / 2)
        cut = z / np.sqrt(1 - 2 * z * norm.pdf(z) / (1 - share))
        whole = norm.ppf((1 + 2 ** (-1 / kept)) / 2)
        found = size.max(axis=0, initial=0) / np.sqrt(np.square(size).sum(axis=0) / kept)
        seen += float((gone * (whole - found)).sum())
        expected += float((gone * (whole - cut)).sum())
    return seen / expected if expected else 0.0


def trust(sure: np.ndarray, right: np.ndarray) -> float:
    """What a solver's log odds are to be multiplied with, so that they are the likeliest of what it
    got right and wrong. sure: expected signs, from −1 to 1; right: bool; (n,) each."""
    odds = np.where(right, 1, -1) * _odds(sure)
    found = minimize_scalar(
        lambda power: -log_expit(np.exp(power) * odds).mean(), bounds=(-5, 3), method="bounded"
    )
    return float(np.exp(found.x))


def _odds(sure: np.ndarray) -> np.ndarray:
    """Log odds that the likelier sign is right, from an expected sign."""
    return 2 * np.arctanh(np.minimum(np.abs(sure.astype(np.float64)), SURE))
