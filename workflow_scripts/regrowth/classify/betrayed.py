"""What attackers with shadow models tell: what was forgotten from what was never learnt."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from regrowth.classify.gaps import RESAMPLES
from regrowth.classify.study import Cell
from regrowth.measure.detectability import roc

COLUMNS = ["concept", "unlearner", "by", "auc", "low", "high", "tpr", "fpr"]
COLUMNS += ["n_forgotten", "n_unseen", "runs"]


def betrayed(found: Mapping[Cell, pd.DataFrame]) -> pd.DataFrame:
    """One row per concept, unlearner and attack, means over runs.

    found: picture, member, ratio, under, over. auc: of U-LiRA's ratio, .5 where it tells nothing,
    with 95 % of resampled pictures (low, high). tpr, fpr: how much of what was forgotten and of
    what was never learnt is taken for forgotten, by a ratio above 1, or by either of Apollo's two.
    """
    by: dict[tuple[str, str], list[tuple[Cell, pd.DataFrame]]] = {}
    for cell, frame in found.items():
        by.setdefault((cell.concept, cell.unlearner), []).append((cell, frame))
    rows = []
    for (concept, unlearner), runs in by.items():
        own = {"concept": concept, "unlearner": unlearner, "runs": len(runs)}
        members = [frame["member"].to_numpy(bool) for _, frame in runs]
        own |= {"n_forgotten": int(members[0].sum()), "n_unseen": int((~members[0]).sum())}
        ratios = [frame["ratio"].to_numpy(float) for _, frame in runs]
        areas = [roc(ratio, member)["auc"] for ratio, member in zip(ratios, members)]
        draws = [_resampled(cell, r, m) for (cell, _), r, m in zip(runs, ratios, members)]
        low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
        own_area = {"auc": float(np.mean(areas)), "low": low, "high": high}
        rows.append(own | {"by": "u-lira"} | own_area | _rates([r > 0 for r in ratios], members))
        labels = [frame["under"].to_numpy(bool) | frame["over"].to_numpy(bool) for _, frame in runs]
        rows.append(own | {"by": "apollo"} | _rates(labels, members))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rates(told: list[np.ndarray], members: list[np.ndarray]) -> dict[str, float]:
    tpr = np.mean([some[member].mean() for some, member in zip(told, members)])
    fpr = np.mean([some[~member].mean() for some, member in zip(told, members)])
    return {"tpr": float(tpr), "fpr": float(fpr)}


def _resampled(cell: Cell, ratio: np.ndarray, member: np.ndarray) -> list[float]:
    """The area of RESAMPLES draws of each kind with replacement; all runs of a split draw the same
    pictures."""
    rng = np.random.default_rng([int(cell.split), *b"shadowed"])
    kinds = ratio[member], ratio[~member]
    is_member = np.repeat([True, False], [len(kind) for kind in kinds])
    drawn = (
        np.concatenate([kind[rng.integers(len(kind), size=len(kind))] for kind in kinds])
        for _ in range(RESAMPLES)
    )
    return [roc(some, is_member)["auc"] for some in drawn]
