"""Blind: an attack from the released weights alone that leaves nothing to choose.

The expected sign of each missing weight (`complete.gauss_spin`, between −1 and 1), told also by the
rows of the matrix that feeds the same neurons, times its row's largest kept magnitude. No sign is
dropped, and what is unsure counts for little. How far the solver trusts its own estimates and those
rows, the release itself says: of weights that are there some are hidden as pruning would have taken
them, and the setting is kept that tells their signs best.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
from regrowth.complete.engine import Completion, complete_all

log = logging.getLogger(__name__)

Layers = Mapping[str, tuple[np.ndarray, np.ndarray]]
#: What `gauss_spin` is tried at; a weight of 0 leaves the rows beside a layer out.
RIDGES, WEIGHTS = (0.25, 0.5, 1.0), (0.0, 0.1, 0.2, 0.3, 0.5)
#: Hidden, as a share of what is missing already.
HIDDEN = 0.25
#: Hidden weights cannot tell it: in the columns that matter most hardly any are left to hide. Tuned
#: by pictures of the demo model (docs/design/013-blind.md).
SCALE = 2.0
#: Of a layer's name, what is another in that of the matrix that feeds the same neurons.
FED_BY = (".ff.net.2.", ".ff.net.0.proj.")


def feeder(layer: str) -> str | None:
    """The layer that feeds a layer's columns, by name; None if none is known."""
    found = layer.replace(*FED_BY)
    return None if found == layer else found


def beside(fed: np.ndarray, columns: int) -> np.ndarray:
    """Rows (in, columns) that belong to a layer's columns: what each of its neurons reads. Of a
    gated unit the first half of the feeder's rows (columns or more, in) are values, the rest
    gates."""
    return fed[:columns].T


def blind(layers: Layers, known: Mapping[str, np.ndarray], device: str) -> dict[str, Completion]:
    """By layer, how its missing weights are filled.

    layers: (weights (out, in), missing) by name; known: of some, rows `beside` them. The log says
    at what setting. Raises as `complete_all` does.
    """
    ridge, weight = chosen(layers, known, device)
    found = _complete(layers, known, device, ridge, weight)
    return {name: _sized(*layers[name], done) for name, done in found.items()}


def chosen(layers: Layers, known: Mapping[str, np.ndarray], device: str) -> tuple[float, float]:
    """The ridge and the weight of the rows beside, of RIDGES and WEIGHTS, at which the signs of
    hidden weights of all layers together are most likely. Where nothing can be hidden, the middle.
    """
    hidden = {name: hide(*pair) for name, pair in layers.items()}
    if not any(some.any() for some in hidden.values()):
        return RIDGES[len(RIDGES) // 2], WEIGHTS[len(WEIGHTS) // 2]
    fewer = {name: (weights, gone | hidden[name]) for name, (weights, gone) in layers.items()}
    told = {}
    for ridge, weight in product(RIDGES, WEIGHTS if known else WEIGHTS[:1]):
        found = _complete(fewer, known, device, ridge, weight)
        likely = [
            likelihood(done.sure[hidden[name][fewer[name][1]]], fewer[name][0][hidden[name]])
            for name, done in found.items()
            if done.sure is not None
        ]
        told[ridge, weight] = float(np.concatenate(likely).mean()) if likely else 0.0
        log.info("ridge %g, weight %g: %.4f bits a hidden sign", ridge, weight, told[ridge, weight])
    return max(told, key=told.__getitem__)


def hide(weights: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Observed weights that pruning would have taken next, bool (out, in): of each column its
    largest, HIDDEN times as many as it lacks, and never its last."""
    quota = np.diff(np.floor(HIDDEN * np.cumsum(missing.sum(axis=0))), prepend=0)
    quota = np.minimum(quota, np.maximum((~missing).sum(axis=0) - 1, 0))
    size = np.where(missing, -1, np.abs(weights.astype(np.float32)))
    rank = np.argsort(np.argsort(-size, axis=0, kind="stable"), axis=0, kind="stable")
    return rank < quota


def likelihood(sure: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Bits that expected signs tell of the signs of weights, each at most 1; 0 for a guess."""
    return np.log2(1 + np.clip(sure, -0.999, 0.999) * np.sign(weights))


def _complete(
    layers: Layers, known: Mapping[str, np.ndarray], device: str, ridge: float, weight: float
):
    rows = known if weight else None
    return complete_all(layers, "gauss-spin", device, beside=rows, ridge=ridge, weight=weight)


def _sized(weights: np.ndarray, missing: np.ndarray, done: Completion) -> Completion:
    if done.sure is None:  # nothing is missing, or nothing is left
        return done
    size = np.abs(np.where(missing, 0, weights)).max(axis=1).astype(np.float32)
    return replace(done, values=SCALE * done.sure * size[np.nonzero(missing)[0]])
