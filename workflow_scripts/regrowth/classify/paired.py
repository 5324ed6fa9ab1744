"""Two unlearners run by run: how much they differ where both had the same original, the same
pictures and the same seed."""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd
from regrowth.classify.gaps import Outcome
from regrowth.classify.spread import figures, over_runs
from regrowth.classify.study import Cell
from regrowth.files import keys

PAIRED = ["concept", "unlearner", "attack", "against", "metric", "mean", "low", "high", "n", "over"]
PAIRED += ["larger", "runs"]


def paired(
    outcomes: Iterable[Outcome], oracle: Callable[[Cell], bool], against: Iterable[str]
) -> pd.DataFrame:
    """One row per concept, unlearner, attack and metric, and per unlearner that it is held against;
    in points of a hundred, less what that one comes to.

    oracle: which cells are the retrained. against: names of unlearners, as they are released. mean,
    low, high, n, over: as in `spread`, of the differences of runs of the same split and seed; what
    has no such run, as it broke or draws nothing, counts nowhere. larger: of how many runs the
    figure is the larger.
    """
    told = {key: own for key, _, own in figures(outcomes, oracle)}
    rows = []
    for (concept, unlearner, attack), own in told.items():
        for name in against:
            if (unlearner, attack) == (name, keys.NONE) or (concept, name, keys.NONE) not in told:
                continue
            row = {"concept": concept, "unlearner": unlearner, "attack": attack, "against": name}
            for metric, other in told[concept, name, keys.NONE].items():
                found = _differences(own[metric], other)
                larger = {"larger": sum(d > 0 for d in found.values()), "runs": len(found)}
                rows.append(row | {"metric": metric} | over_runs(found, seeds=True) | larger)
    return pd.DataFrame(rows, columns=PAIRED)


def _differences(own: Mapping[Cell, float], other: Mapping[Cell, float]) -> dict[Cell, float]:
    by_run = {(cell.split, cell.seed): value for cell, value in other.items()}
    runs = {cell: (cell.split, cell.seed) for cell in own}
    return {cell: own[cell] - by_run[run] for cell, run in runs.items() if run in by_run}
