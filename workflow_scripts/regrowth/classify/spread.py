"""How far an unlearner's figures move from one run to the next: an interval over runs, which is
another thing than that over pictures (`gaps`), and never mixed with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from regrowth.classify.gaps import METRICS, Outcome, average_gap, compared
from regrowth.classify.study import Cell
from scipy.stats import t

SPREAD = ["concept", "unlearner", "attack", "metric", "mean", "low", "high", "n", "over"]


def spread(outcomes: Iterable[Outcome], oracle: Callable[[Cell], bool]) -> pd.DataFrame:
    """One row per concept, unlearner, attack and metric, the average gap among these; in points of
    a hundred.

    oracle: which cells are the retrained. mean, low, high: of `interval`. over: what they are over,
    n of them: "splits", each of which counts as the mean of its runs, since these have an original
    and their pictures in common; of one split "seeds", for that split and its retrainings as they
    are. The gaps of retrainings to each other are over splits alone: any two share a model.
    """
    rows = []
    for (concept, unlearner, attack), of_oracles, told in figures(outcomes, oracle):
        own = {"concept": concept, "unlearner": unlearner, "attack": attack}
        for metric, found in told.items():
            alone = metric == "avg_gap" and of_oracles
            rows.append(own | {"metric": metric} | over_runs(found, seeds=not alone))
    return pd.DataFrame(rows, columns=SPREAD)


def figures(
    outcomes: Iterable[Outcome], oracle: Callable[[Cell], bool]
) -> Iterator[tuple[tuple[str, str, str], bool, dict[str, dict[Cell, float]]]]:
    """Each concept, unlearner and attack; whether these are the retrained; and by metric, the
    average gap among them, what each run comes to. A run that broke comes to nothing."""
    for key, runs, pairs in compared(outcomes, oracle):
        told: dict[str, dict[Cell, float]] = {
            metric: {run.cell: run.rated[metric] for run in runs if run.told} for metric in METRICS
        }
        to: dict[Cell, list[float]] = {}
        for a, b in pairs:
            to.setdefault(a.cell, []).append(average_gap(a.rated, b.rated))
        told["avg_gap"] = {cell: float(np.mean(found)) for cell, found in to.items()}
        yield key, oracle(runs[0].cell), told


def over_runs(found: Mapping[Cell, float], seeds: bool) -> dict:
    """The mean over splits of the means of each one's runs, or of one split over its seeds; and its
    interval."""
    by: dict[str, list[float]] = {}
    for cell, value in found.items():
        by.setdefault(cell.split, []).append(value)
    values, over = [float(np.mean(some)) for some in by.values()], "splits"
    if len(by) == 1 and seeds:
        (values,), over = by.values(), "seeds"
    mean, low, high = interval(values)
    return {"mean": mean, "low": low, "high": high, "n": len(values), "over": over}


def interval(values: list[float]) -> tuple[float, float, float]:
    """The mean, and Student's 95 % interval of it; (nan, nan) for one value, or where none differs:
    what draws nothing has no spread to speak of."""
    n = len(values)
    mean = float(np.mean(values)) if n else np.nan
    if n < 2 or np.ptp(values) == 0:
        return mean, np.nan, np.nan
    half = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / n**0.5)
    return mean, mean - half, mean + half
