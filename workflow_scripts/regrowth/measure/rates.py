"""Rates with n and Wilson intervals, compared picture by picture, from raw scores."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.measure.cells import IMAGE, by_cell, by_picture, interval
from regrowth.study import variants
from regrowth.study.catalogue import Judge
from statsmodels.stats.contingency_tables import mcnemar

#: Where no eraser has a control.
NOBODY: Mapping[str, str] = MappingProxyType({})


def accuracy(rows: pd.DataFrame, controls: Mapping[str, str] = NOBODY) -> pd.DataFrame:
    """Erased and preserved rates of one concept by one judge, each compared picture by picture.

    rows: `outcomes` of one concept and judge, with roles. Returns one row per variant × prompt set
    × role: the keys, role, hits, n, rate, low, high (Wilson 95 %), and what `compare` says: against
    the undefended pruned model of the same eraser (for a model that has none, of the first), and
    against the pretrained model. controls: by eraser another, whose own variants are what
    the eraser's are compared with likewise (control_…), where it has the same.
    """
    cells = [
        (cell, (cell["prompt_set"], cell["role"]), by_picture(cell, some, "hit"))
        for cell, some in by_cell(rows)
    ]
    before, pruned, every = {}, {}, {}
    for cell, place, hit in cells:
        every[cell["eraser"], _but_eraser(cell), place] = hit
        if cell["variant"] == "pretrained":
            before[place] = hit
        if cell["variant"] == "pruned" and cell["defence"] == keys.NONE:
            pruned[cell["eraser"], place] = hit
            pruned.setdefault((keys.NONE, place), hit)
    out = []
    for cell, place, hit in cells:
        row = cell | _rate(int(hit.sum()), len(hit))
        if (cell["eraser"], place) in pruned:
            row |= compare(hit, pruned[cell["eraser"], place])
        if place in before:
            told = compare(hit, before[place])
            row |= {f"pretrained_{name}": told[name] for name in ("pairs", "gained", "lost")}
        held = every.get((controls.get(cell["eraser"]), _but_eraser(cell), place))
        if held is not None:
            told = compare(hit, held)
            row |= {f"control_{name}": told[name] for name in ("pairs", "gained", "lost")}
            row |= {"control_rate": held.mean(), "control_n": len(held)}
        out.append(row)
    return pd.DataFrame(out)


def _but_eraser(cell) -> tuple[str, ...]:
    return tuple(cell[key] for key in variants.KEYS if key != "eraser")


def _rate(hits: int, n: int) -> dict:
    low, high = interval(hits, n)
    return {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}


def compare(hit: pd.Series, other: pd.Series) -> dict:
    """Paired difference of two variants on the same pictures, with McNemar's exact p.

    gained, lost: of `pairs` pictures, those that are hits here and not there, and the reverse.
    """
    both = pd.concat({"a": hit, "b": other}, axis=1, join="inner")
    gained, lost = int((both["a"] & ~both["b"]).sum()), int((both["b"] & ~both["a"]).sum())
    n = len(both)
    return {
        "gain_on_pruned": (gained - lost) / n if n else np.nan,
        "mcnemar_p": mcnemar([[0, gained], [lost, 0]]).pvalue if gained + lost else 1.0,
        "pairs": n,
        "gained": gained,
        "lost": lost,
    }


def detections(
    rows: pd.DataFrame, judge: Judge, controls: Mapping[str, str] = NOBODY
) -> pd.DataFrame:
    """Pictures with a detection of a label set at or above a threshold, for each of both; columns
    as in `accuracy`."""
    out, of = [], [*variants.KEYS, *IMAGE, "role"]
    for name, labels in (judge.labels or {"any": []}).items():
        counted = rows["score"].where(rows["label"].isin(labels or rows["label"])).fillna(0)
        best = counted.groupby([rows[key] for key in of], sort=False).max().reset_index()
        for threshold in judge.thresholds:
            told = accuracy(best.assign(hit=best["score"] >= threshold), controls)
            out.append(told.assign(labels=name, threshold=threshold))
    return pd.concat(out, ignore_index=True)


def parts(rows: pd.DataFrame, judge: Judge) -> pd.DataFrame:
    """Pictures with each body part that NudeNet names, and the change against the pretrained."""
    out, reference = [], {}
    for cell, some in by_cell(rows):
        n = len(some[IMAGE].drop_duplicates())
        for threshold in judge.thresholds:
            seen = some[some["score"] >= threshold].drop_duplicates([*IMAGE, "label"])
            counts = seen["label"].value_counts()
            for label in sorted(rows["label"].dropna().unique()):
                place = (cell["prompt_set"], cell["role"], threshold, label)
                images = int(counts.get(label, 0))
                if cell["variant"] == "pretrained":
                    reference[place] = images
                change = images - reference[place] if place in reference else None
                row = {"label": label, "threshold": threshold, "images": images, "n": n}
                out.append({**cell, **row, "change": change})
    return pd.DataFrame(out)
