"""MIA-NN: whether a forgotten class stands out among the classes that are left.

A new training takes an unseen class for its nearest neighbour; a model that was made to forget it
may say of it what it says of nothing else. A reconstruction of the attack of Wang,
Ebrahimpour-Boroojeny and Sundaram (arXiv 2506.20893), of which no code was at hand: for each other
class, a support vector machine on the probabilities of the classes that are left tells training
pictures of the forgotten class from those of that one; how often it is right of tests is held
against the same of a new training, at the class that this one confuses with the forgotten most. The
paper counts tests of the forgotten class alone; here as many of either, so that .5 is chance. It
says whether the class stands out, and nothing of a single picture.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from regrowth.classify.gaps import Outcome, compared, mean
from regrowth.classify.membership import C
from regrowth.classify.study import Cell
from regrowth.measure.cells import interval
from scipy.special import softmax

COLUMNS = ["concept", "unlearner", "attack", "nearest", "n", "rate", "low", "high"]
COLUMNS += ["retrain", "difference"]


def standing_out(
    parts: np.ndarray, logits: np.ndarray, labels: np.ndarray
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By each class that is left: places of pictures that no model learnt, as many of the forgotten
    classes as of it, and whether each is told rightly.

    parts: `split.split`'s, of what was forgotten by class; {} where the forgotten has no tests.
    labels: of all pictures. As many training pictures of either, the first of each.
    """
    from sklearn.svm import SVC

    if not (parts == "away").any():
        return {}
    gone, unseen = np.flatnonzero(parts == "forget"), np.isin(parts, ("validation", "test"))
    away = np.flatnonzero(parts == "away")
    left = np.setdiff1d(np.unique(labels[parts == "retain"]), np.unique(labels[gone]))
    features, found = softmax(logits[:, left].astype(float), 1), {}
    for label in left:
        learnt, fit = _as_many(gone, np.flatnonzero((parts == "retain") & (labels == label)))
        asked, right = _as_many(away, np.flatnonzero(unseen & (labels == label)))
        if len(asked):
            told = SVC(C=C, gamma="auto", kernel="rbf").fit(features[learnt], fit)
            found[int(label)] = asked, told.predict(features[asked]) == right
    return found


def _as_many(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of either, as many; and 1 for those of the one, 0 for the other."""
    n = min(len(one), len(other))
    return np.concatenate([one[:n], other[:n]]), np.repeat([1, 0], n)


def nearest(outcomes: Iterable[Outcome], oracle: Callable[[Cell], bool]) -> pd.DataFrame:
    """One row per concept, unlearner and attack, of those who forgot classes: the neighbour that
    the retrainings of all splits take most of its training pictures for, which they never saw and
    no test is among; how much of n tests is told rightly, the mean over runs, with Wilson's
    interval of one run, since all see the same pictures; the retrainings' share, and the difference
    in points of a hundred. A class that lacks tests in one of the splits is no neighbour."""
    rows = []
    outcomes = [one for one in outcomes if one.nearby]
    near: dict[str, int] = {}
    rates: dict[str, float] = {}
    for (concept, *_), runs, _ in compared(outcomes, oracle):
        if oracle(runs[0].cell) and concept not in rates:
            taken = np.concatenate([run.taken for run in runs])
            others = [one.nearby for one in outcomes if one.cell.concept == concept]
            shared = [label for label in runs[0].nearby if all(label in one for one in others)]
            if not shared:
                continue
            near[concept] = max(shared, key=lambda label: (taken == label).sum())
            rates[concept] = mean(run.nearby[near[concept]].mean() for run in runs)
    for (concept, unlearner, attack), runs, _ in compared(outcomes, oracle):
        if concept not in rates:
            continue
        label, own = near[concept], rates[concept]
        told = [run.nearby[label] for run in runs]
        rate, n = mean(one.mean() for one in told), len(told[0])
        low, high = interval(round(rate * n), n)
        row = {"concept": concept, "unlearner": unlearner, "attack": attack, "nearest": label}
        row |= {"n": n, "rate": rate, "low": low, "high": high, "retrain": own}
        rows.append(row | {"difference": 100 * (rate - own)})
    return pd.DataFrame(rows, columns=COLUMNS)
