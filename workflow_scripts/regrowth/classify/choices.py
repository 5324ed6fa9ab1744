"""Settings chosen blind, beside those tuned to the retrained model, as in print they are.

A study lists an unlearner at several settings and says that they are one choice. Whoever unlearns
has no retrained model: he knows what the original was, and what pictures it never saw look like to
it.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from regrowth.classify.gaps import Outcome
from regrowth.classify.study import ORIGINAL
from regrowth.files import keys

COLUMNS = ["concept", "choice", "rule", "picked", "score", "avg_gap", "low", "high", "of"]


def chosen(
    outcomes: Iterable[Outcome],
    gaps: pd.DataFrame,
    choices: Mapping[str, list[str]],
    forget: Mapping[str, Mapping],
) -> pd.DataFrame:
    """Two rows per concept and choice: what each rule picks by the least `score`, in points of a
    hundred, means over runs; and what the pick's gap is.

    gaps: of `gaps.gaps`. choices: unlearners by the name of the choice. forget: what is forgotten,
    `study.Samples` or `study.Classes` as values. Rule "oracle": the average gap itself. Rule
    "blind": the mean of `strangeness`. of: among how many.
    """
    outcomes = list(outcomes)
    table = gaps[gaps["attack"] == keys.NONE].set_index(["concept", "unlearner"])
    rows = []
    for concept, what in forget.items():
        for choice, names in choices.items():
            strange = {name: _strange(outcomes, concept, name, what) for name in names}
            seen = {name: table["avg_gap"].get((concept, name), np.nan) for name in names}
            for rule, scores in (("blind", strange), ("oracle", seen)):
                known = {name: score for name, score in scores.items() if np.isfinite(score)}
                row = {"concept": concept, "choice": choice, "rule": rule, "of": len(known)}
                if known:
                    picked = min(known, key=lambda name: known[name])
                    row |= {"picked": picked, "score": known[picked]}
                    row |= table.loc[(concept, picked), ["avg_gap", "low", "high"]].to_dict()
                rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def strangeness(one: Outcome, original: Outcome, classes: bool) -> float:
    """How far a model is from what a new training would be, as far as that is known without one:
    the mean of three differences, in points. What is forgotten is known as well as held out
    pictures are, or, of classes, not at all; held out pictures, and what is kept, are known as well
    as the original knew them."""
    rate = {part: float(hits.mean()) for part, hits in one.right.items() if len(hits)}
    was = {part: float(hits.mean()) for part, hits in original.right.items() if len(hits)}
    aim = 0.0 if classes else rate["validation"]
    away = [rate["forget"] - aim, *(rate[part] - was[part] for part in ("validation", "retain"))]
    return 100 * float(np.mean(np.abs(away)))


def _strange(outcomes: list[Outcome], concept: str, name: str, what: Mapping) -> float:
    """The mean over runs; nan where some run broke."""

    def of(unlearner: str) -> list[Outcome]:
        plain = (o for o in outcomes if o.cell.attack == keys.NONE and o.cell.concept == concept)
        return [one for one in plain if one.cell.unlearner == unlearner]

    original: dict[str, Outcome] = {one.cell.split: one for one in of(ORIGINAL)}
    runs = [(one, original.get(one.cell.split)) for one in of(name)]
    told = [
        strangeness(one, was, what["kind"] == "classes")
        for one, was in runs
        if one.right and was and was.right
    ]
    return float(np.mean(told)) if told and len(told) == len(runs) else np.nan
