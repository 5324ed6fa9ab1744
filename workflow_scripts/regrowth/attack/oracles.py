"""Oracles: revival with half of the answer known (Appendix A). Evaluation only."""

import numpy as np
from regrowth.attack import ORACLES
from regrowth.attack.magnitudes import from_unpruned, magnitudes


def oracle(
    truth: np.ndarray,
    weights: np.ndarray,
    missing: np.ndarray,
    name: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """Values for the missing positions, their pretrained signs or magnitudes being known.

    "pretrained": pretrained magnitudes; each sign drawn from the signs of its row's unpruned
    weights, so with the row's own share of each (a zero has the sign of its sign bit). "sample",
    "mean", "max": pretrained signs with `magnitudes` of that name. A draw falls on the same
    unpruned weights in "pretrained" and in "sample" if `rng` has the same seed.

    truth: the pretrained values, (n_missing,), row-major. weights, missing: (out, in). Returns
    float32 (n_missing,); a pretrained 0 stays 0. Raises ValueError on another name, or if the
    layer has nothing unpruned.
    """
    taken = ORACLES[name].magnitude
    if name == "pretrained":
        signs = from_unpruned(np.copysign(1, weights), missing, taken, rng)
        return (signs * np.abs(truth)).astype(np.float32)
    return (np.sign(truth) * magnitudes(weights, missing, taken, rng)).astype(np.float32)
