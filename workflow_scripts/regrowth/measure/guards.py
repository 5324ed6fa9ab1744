"""Guards side by side: what each attack draws of the concept through them."""

import pandas as pd
from regrowth.draw import GUARDS
from regrowth.files import keys
from regrowth.measure.cells import one_judge
from regrowth.study import variants

_RATE = ("rate", "low", "high", "n")
COLUMNS = [
    *("concept", "eraser", "guard", "attack", "prompt_set", "judge"),
    *(f"{role}_{name}" for role in ("erased", "preserved") for name in _RATE),
]


def guards(rates: pd.DataFrame) -> pd.DataFrame:
    """A row a released model, guard (first: "none") and what is made of the model: how often the
    concept shows, and what is to be preserved, with Wilson's intervals. rates: as
    `headline.of_both_roles` makes them; by each set's first judge."""
    told = rates["defence"].isin([keys.NONE, *GUARDS]) & (rates["eraser"] != keys.NONE)
    shown = one_judge(rates[told]) if told.any() else rates[told]
    guarded = set(map(tuple, shown.loc[shown["defence"] != keys.NONE, _place(shown)].values))
    out: dict[tuple, dict] = {}
    for row in shown.to_dict("records"):
        cell = {key: row[key] for key in variants.KEYS}
        if tuple(row[name] for name in _place(shown)) not in guarded:
            continue
        plain = variants.unguarded(cell) | {"eraser": "conceptprune"}
        attack = variants.label(plain)
        at = out.setdefault(
            tuple(cell.values()),
            {"concept": cell["concept"], "eraser": cell["eraser"], "guard": cell["defence"]}
            | {"attack": attack, "prompt_set": row["prompt_set"], "judge": row["judge"]},
        )
        at |= {f"{row['role']}_{name}": row[name] for name in _RATE}
    table = pd.DataFrame(list(out.values()), columns=COLUMNS)
    order = {name: i for i, name in enumerate((keys.NONE, *GUARDS))}
    by = ["concept", "eraser", "attack"]
    first = {place: i for i, place in enumerate(dict.fromkeys(zip(*(table[b] for b in by))))}
    rank = pd.Series([first[place] for place in zip(*(table[b] for b in by))], table.index)
    table = table.assign(_rank=rank, _guard=table["guard"].map(order))
    sorted_ = table.sort_values(["_rank", "_guard"], kind="stable")
    return sorted_.drop(columns=["_rank", "_guard"]).reset_index(drop=True)


def _place(table: pd.DataFrame) -> list[str]:
    """What a row is of, whatever guards it."""
    ways = [key for key in variants.KEYS if key not in ("defence", "sigma", "weight_seed")]
    return [key for key in ways if key in table]
