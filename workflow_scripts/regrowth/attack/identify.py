"""Which concept was erased? Told from a released model by who has the model that it was made of.

Of a pruned model its holes are held against what pruning would take for each candidate; of an
edited one, how far each candidate's word has moved. An open question of Roots Beneath the Cut; the
scores are ours.
"""

from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata

Layers = Mapping[str, np.ndarray]


def by_holes(missing: Layers, weights: Layers, norms: Layers) -> float:
    """How well a candidate's calibration tells the holes: the area under the ROC of |W| times how
    much stronger its columns are for the candidate, a layer's weighed by its holes.

    missing: bool (out, in) by layer; weights: the base's; norms: "layer:target" and "layer:base",
    (steps, in). nan where nothing is missing, or everything.
    """
    areas, counts = [], []
    for name, gone in missing.items():
        if not 0 < gone.sum() < gone.size:
            continue
        more = (norms[f"{name}:target"] - norms[f"{name}:base"]).mean(axis=0, dtype=np.float64)
        areas.append(area(np.abs(weights[name].astype(np.float64)) * more, gone))
        counts.append(int(gone.sum()))
    return float(np.average(areas, weights=counts)) if areas else float("nan")


def area(scores: np.ndarray, chosen: np.ndarray) -> float:
    """The area under the ROC of scores for a choice, ties counted half (Mann and Whitney)."""
    n = int(chosen.sum())
    ranks = rankdata(scores.ravel())[chosen.ravel()]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * (chosen.size - n)))


def by_edit(before: Layers, after: Layers, words: np.ndarray) -> np.ndarray:
    """How far what is read of each candidate's word has moved, as a share of what was read of it.

    before, after: key and value matrices (out, in) of the cross-attentions by name; words: (n, in).
    Returns (n,), nan where nothing was changed.
    """
    moved = sum((((after[n] - w) @ words.T) ** 2).sum(axis=0) for n, w in before.items())
    read = sum(((w @ words.T) ** 2).sum(axis=0) for w in before.values())
    told = np.sqrt(moved / read)
    return told if told.any() else np.full(len(words), np.nan)
