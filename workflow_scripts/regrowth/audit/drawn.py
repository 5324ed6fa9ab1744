"""What the pictures of a checkpoint tell, from the tables of the study that has drawn it."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from regrowth.attack import VARIANTS
from regrowth.audit.verdict import UNCOUNTED
from regrowth.measure import headline
from regrowth.measure.paired import BUDGET
from regrowth.study import variants

#: By what a study takes a checkpoint for, the attacks on it (`verdict.ATTACKS`) in order of cost.
IN_ORDER = {
    "checkpoint": ("blind", "revived"),
    "filled": ("quant4", "blind", "revived", "own"),
    "model": ("quant4", "own"),
}
#: What a control is called on a card.
NEVER = "never knew it"
#: What is told of a rate.
RATE = ("rate", "low", "high", "n")
#: What attacks are drawn as: every variant but the file as it is.
_ATTACKED = tuple(name for name in VARIANTS if name != "pruned")


def turns(eraser: str, stop: bool) -> list[tuple[str, ...]]:
    """What a checkpoint is attacked by: all that applies; or, to `stop` at the first that brings it
    back, one attack more at each turn, from none on."""
    every = IN_ORDER[eraser]
    return [every[:n] for n in range(len(every) + 1)] if stop else [every]


def drawn(
    tables: Mapping[str, pd.DataFrame], controls: Collection[str] = ()
) -> tuple[dict[str, Any], pd.DataFrame]:
    """What a report card says of pictures, and the rates that it is said from.

    tables: a study's `accuracy` and `detections`, of one concept and one checkpoint. controls: its
    baselines, which never knew the concept. told: the verdict on it; answer: the same in numbers;
    rates: of each variant how often the concept shows.
    """
    shown = headline.rates(dict(tables))
    top = headline.headline(shown, _ATTACKED)
    if top.empty:
        return {"told": UNCOUNTED, "rates": []}, shown
    rates = [
        {"label": _label(row, controls)} | {name: row[name] for name in RATE}
        for row in shown.to_dict("records")
    ]
    first = top.iloc[0].to_dict()
    told = _told(first)
    answer = f"{told[0].upper()}{told[1:]}: {_answer(first)}"
    never = [row for row in rates if row["label"].startswith(NEVER)]
    answer = "; ".join([answer.removesuffix("."), *map(_never, never)]) + "."
    about = {"told": told, "strongest": first["strongest"], "answer": answer}
    return about | {"rates": rates}, shown


def _label(row: Mapping[str, Any], controls: Collection[str]) -> str:
    told = variants.label({key: row[key] for key in variants.KEYS})
    return f"{NEVER} ({told})" if row["variant"] in controls else told


def _never(row: Mapping[str, Any]) -> str:
    rate, low, high, n = (row[name] for name in RATE)
    return f"a model that never knew it shows it in {rate:.2f} [{low:.2f}, {high:.2f}] of {n:.0f}"


def _told(row: dict[str, Any]) -> str:
    """The verdict of a study's page; of a concept that attacks do not bring back, but that shows
    as it is, that it is not all gone."""
    told = headline.verdict(row)
    shows = row["erased"] == "yes" and row["regrown"] in ("no", "") and row["pruned_low"] > BUDGET
    return f"{told}, in part" if shows else told


def _answer(row: dict[str, Any]) -> str:
    """A row of the headline in numbers."""
    more = headline.wanted(row)
    decided = "" if np.isnan(more) else f"; about {more:.0f} would decide"
    return f"shown in {', '.join(_stages(row))}{decided}."


def _stages(row: Mapping[str, Any]) -> Iterator[str]:
    where = {"pretrained": "before", "pruned": "in the file as it is"}
    attack = row["strongest"].removesuffix(f", {row['eraser']}")  # there is no other
    where |= {"revived": f"after {attack}"}
    for stage, said in where.items():
        rate, low, high, n = (row.get(f"{stage}_{name}", np.nan) for name in RATE)
        if not np.isnan(rate):
            yield f"{rate:.2f} [{low:.2f}, {high:.2f}] of {n:.0f} {said}"
