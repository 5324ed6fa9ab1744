"""U-LiRA: of each picture, how much likelier a model's confidence is if it was learnt and forgotten
than if it was never learnt.

A reconstruction of Hayes, Shumailov, Triantafillou, Khalifa and Papernot, Inexact Unlearning Needs
More Careful Evaluations to Avoid a False Sense of Privacy (2024), with shadow models that all
forget: of each picture those that learnt and forgot it, and those that only forgot others. Their
deviations are one for all pictures, which Carlini et al. (LiRA, 2022) advise where shadows are few.
"""

import numpy as np
from scipy.special import logsumexp


def confidence(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """log p / (1 − p) of the true class. logits: (..., n, classes); labels: (n,)."""
    own = np.take_along_axis(logits, np.broadcast_to(labels, logits.shape[:-1])[..., None], -1)
    rest = np.arange(logits.shape[-1]) != labels[:, None]
    return own[..., 0] - logsumexp(np.where(rest, logits, -np.inf), axis=-1)


def log_ratio(target: np.ndarray, shadows: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """log p(confidence | forgotten) / p(confidence | never learnt), normal both, (n,).

    target: (n,), the model's confidences. shadows: (shadows, n), theirs. inside: bool, the same
    shape: which had learnt the picture. Of each picture at least two had and two had not."""
    told = []
    for some in (inside, ~inside):
        counts = some.sum(0)
        mean = np.where(some, shadows, 0).sum(0) / counts
        squares = np.where(some, (shadows - mean) ** 2, 0).sum()
        variance = max(squares / (counts - 1).sum(), 1e-12)
        told.append(-((target - mean) ** 2) / variance / 2 - np.log(variance) / 2)
    return told[0] - told[1]
