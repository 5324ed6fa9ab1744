"""Which scores are the largest share of all."""

from collections.abc import Iterable

import numpy as np


def least(scores: Iterable[np.ndarray], share: float) -> float:
    """Of all scores together, the one that the largest share of them, one or more, reach."""
    every = np.concatenate([some.ravel() for some in scores])
    n = max(1, round(share * every.size))
    return float(np.partition(every, every.size - n)[every.size - n])
