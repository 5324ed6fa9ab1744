"""Holes that somebody has filled: whether a file has them, from its weights alone.

A detector always finds something. What it finds is held against what it finds in a *twin*: a matrix
that was drawn, of the same size, with the same covariance of its rows and the same size of each
column, and that nobody has pruned. And since some models look filled all over, a family of layers
is held against the others of its file, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from regrowth.attack import detectors

#: Weights that tell enough: of a family's matrices the smallest are looked at until there are more.
PLENTY = 16_000_000
#: How much longer than wide a matrix has to be: a square one's covariance is no estimate, and a
#: twin that is drawn from it would be another matrix.
LONGER = 2
#: How much more than its twins a family has to show: of the bundled model's families none that
#: nobody has touched shows 1.3, and with a fill of white noise as large as the weights it is 1.7
#: and more (docs/audit.md).
SURE, UNSURE = 1.5, 1.3
#: Of its families none shows a weight that `column` takes for a quiet fill. Layers that show some.
QUIET = 2


@dataclass(frozen=True)
class Fills:
    """Of some layers: the share of weights that `combined` takes for fills, the same of their
    twins, and in how many of them `column` takes any for one. layers: how many were looked at.
    beside: the median of the ratios that the file's other families show; quiet_beside: the largest
    share of their layers with any."""

    layers: int
    found: float
    chance: float
    quiet: int
    beside: float = 1.0
    quiet_beside: float = 0.0

    @property
    def ratio(self) -> float:
        return self.found / self.chance if self.chance else (np.inf if self.found else 1.0)

    @property
    def told(self) -> str:
        """ "filled", "unsure" or "none"."""
        beyond = self.ratio / max(1.0, self.beside)
        if beyond >= SURE or self.is_quiet:
            return "filled"
        return "unsure" if beyond >= UNSURE else "none"

    @property
    def is_quiet(self) -> bool:
        return self.quiet - self.quiet_beside * self.layers >= QUIET

    @property
    def right(self) -> float:
        """Of what the detector takes, the share that is more than chance."""
        return max(0.0, 1 - 1 / self.ratio) if self.ratio else 0.0


def fills(layers: Mapping[str, np.ndarray]) -> Fills:
    """layers: matrices (out, in) of one family, by name, float32."""
    rng = np.random.default_rng(0)
    n, total, found, chance, quiet = 0, 0, 0, 0, 0
    for weights in sorted(layers.values(), key=lambda w: w.size):
        if total > PLENTY or max(weights.shape) < LONGER * min(weights.shape):
            continue
        n, total = n + 1, total + weights.size
        found += int((detectors.combined(weights) > 0).sum())
        chance += int((detectors.combined(twin(weights, rng)) > 0).sum())
        quiet += bool((detectors.column(weights) > 0).any())
    return Fills(n, found / total if total else 0.0, chance / total if total else 0.0, quiet)


def together(looked: Mapping[str, Fills]) -> dict[str, Fills]:
    """The families of one file, each beside the others."""
    out = {}
    for name, one in looked.items():
        others = [other for n, other in looked.items() if n != name and other.layers]
        if others:
            most = max(other.quiet / other.layers for other in others)
            beside = float(np.median([other.ratio for other in others]))
            one = replace(one, beside=beside, quiet_beside=most)
        out[name] = one
    return out


def twin(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A matrix drawn from the normal that `detectors.residual` takes lines along the longer side
    for draws of, each line as large as its own: float32 (out, in)."""
    if len(weights) > weights.shape[1]:
        return np.ascontiguousarray(twin(weights.T, rng).T)
    w = detectors.by_row(weights).astype(np.float64)
    gram = w @ w.T / w.shape[1]
    gram[np.diag_indices_from(gram)] += detectors.RIDGE * (np.trace(gram) or 1) / len(gram)
    root = np.linalg.cholesky(gram)
    size = np.sqrt(np.square(np.linalg.solve(root, w)).mean(axis=0))
    return (root @ (size * rng.normal(size=w.shape))).astype(np.float32)
