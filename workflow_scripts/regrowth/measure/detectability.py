"""How well erased positions can be told from kept ones: equation 7, and what is measured."""

import numpy as np
from scipy.special import erf
from scipy.stats import kstest, kurtosis, norm, normaltest, skew

#: False-positive rates at which a detector's true-positive rate is told.
FALSE_POSITIVES = 0.01
#: Points of a ROC curve that are kept.
POINTS = 101
#: Weights on which the test of normality is run: with all, any layer fails.
SAMPLE = 5000


def posterior(density, sigma_m, sigma_u, half_width):
    """P(erased | the weight lies in [−a, a]) (Roots Beneath the Cut, equation 7).

    density: the erased share of the layer; sigma_m, sigma_u: standard deviations of what fills the
    erased positions and of the kept weights, both taken for zero-mean normals; half_width: a.
    All broadcast.
    """
    erased = density * erf(half_width / (sigma_m * np.sqrt(2)))
    kept = (1 - density) * erf(half_width / (sigma_u * np.sqrt(2)))
    return erased / (erased + kept)


def roc(scores: np.ndarray, erased: np.ndarray) -> dict:
    """A detector's ROC: auc; tpr, at FALSE_POSITIVES; curve, its true-positive rates at POINTS
    false-positive rates from 0 to 1.

    scores: any shape, higher for what looks erased; erased: bool, the same shape. Ties count half
    in the area, and against the detector in the rates. All nan if one kind is missing.
    """
    kept, hits = np.sort(scores[~erased]), np.sort(scores[erased])
    if not len(kept) or not len(hits):
        return {"auc": np.nan, "tpr": np.nan, "curve": np.full(POINTS, np.nan)}
    below = np.searchsorted(kept, hits, "left").sum(dtype=np.int64)
    upto = np.searchsorted(kept, hits, "right").sum(dtype=np.int64)
    return {
        "auc": (below + upto) / 2 / len(kept) / len(hits),
        "tpr": float(_rates(kept, hits, np.array([FALSE_POSITIVES]))[0]),
        "curve": _rates(kept, hits, np.linspace(0, 1, POINTS)),
    }


def _rates(kept: np.ndarray, hits: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The share of `hits` above a threshold that `allowed` of `kept` exceed, at most. Sorted."""
    at = len(kept) - 1 - np.floor(allowed * len(kept) + 1e-9).astype(int)
    threshold = np.where(at >= 0, kept[np.maximum(at, 0)], -np.inf)
    return 1 - np.searchsorted(hits, threshold, "right") / len(hits)


def normality(weights: np.ndarray, rng: np.random.Generator) -> dict:
    """How far a layer's weights are from the normal distribution that equation 7 takes them for.

    Returns sigma, skew, (excess) kurtosis, ks (the largest distance between the two distribution
    functions), p (D'Agostino and Pearson's test on SAMPLE weights), and narrow: the share of
    weights within sigma/2 over the normal's .383, which is what equation 7 relies on.
    """
    w = weights.ravel().astype(np.float64)
    if not np.ptp(w):
        raise ValueError(f"all {len(w)} kept weights are {w[0] if len(w) else 'missing'}")
    sigma = w.std()
    few = rng.choice(w, min(len(w), SAMPLE), replace=False)
    within = (np.abs(w) < sigma / 2).mean()
    return {
        "spread": sigma,
        "skew": skew(w),
        "kurtosis": kurtosis(w),
        "ks": kstest(w, norm(w.mean(), sigma).cdf).statistic,
        "p": normaltest(few).pvalue,
        "narrow": within / erf(0.5 / np.sqrt(2)),
    }
