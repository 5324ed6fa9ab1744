"""Attacks held against each other, two at a time, on the same pictures."""

from itertools import combinations

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.measure.cells import IMAGE, by_variant
from regrowth.measure.paired import interval
from regrowth.measure.rates import compare
from regrowth.study import variants

COLUMNS = [
    *(*keys.RELEASED, "prompt_set", "first", "second", "first_rate", "second_rate"),
    *("difference", "low", "high", "gained", "lost", "pairs", "mcnemar_p"),
]


def pairwise(rows: pd.DataFrame) -> pd.DataFrame:
    """Every two attacks on one released model, by what they bring back of the erased class.

    rows: `outcomes` of one concept and judge, with roles. first, second: the attacks' names;
    difference: the first's rate less the second's on the `pairs` pictures of both, of which
    `gained` are hits of the first alone and `lost` of the second alone, with Tango's 95 %
    interval and McNemar's exact p. Neither is corrected for the number of comparisons.
    """
    attacks = rows[rows["variant"].isin(variants.COUNTED) & (rows["role"] == "erased")]
    met: dict[tuple[str, ...], dict[str, pd.Series]] = {}
    for cell, some in by_variant(attacks):
        released = variants.released_of(cell)
        for prompt_set, own in some.groupby("prompt_set"):
            place = (*released.values(), prompt_set)
            met.setdefault(place, {})[variants.label(cell)] = own.set_index(IMAGE)["hit"]
    out = []
    for place, hits in met.items():
        for first, second in combinations(hits, 2):
            told = compare(hits[first], hits[second])
            gained, lost, n = told["gained"], told["lost"], told["pairs"]
            ends = interval(gained, lost, n)
            means = [hits[name].mean() for name in (first, second)]
            line = (*place, first, second, *means, (gained - lost) / n if n else np.nan, *ends)
            out.append((*line, gained, lost, n, told["mcnemar_p"]))
    return pd.DataFrame(out, columns=COLUMNS)
