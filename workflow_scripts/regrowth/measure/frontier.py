"""The frontier: what an attacker gets back of a released model, by what they know and spend."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from regrowth.attack import KNOWLEDGE, needed
from regrowth.files import keys
from regrowth.measure.cells import one_judge
from regrowth.measure.paired import interval
from regrowth.study import variants
from statsmodels.stats.proportion import confint_proportions_2indep

#: What an attacker spends: steps of training; pictures through the UNet, forwards and backwards,
#: those drawn to learn from among them; pictures of a prompt that a judge looks at, to pick one.
SPENT = ["steps", "forwards", "backwards", "judged"]
COLUMNS = [
    *(*variants.KEYS, "prompt_set", "judge", "attack", "words", "knows", *SPENT, "destroyed"),
    *("rate", "low", "high", "n", "gain", "gain_low", "gain_high", "others"),
    *("control", "control_n", "beyond", "beyond_low", "beyond_high", "seen", "seen_n"),
]
#: What a knowledge is called where people read it.
WORDS = {
    "weights": "the weights alone",
    "auxiliary": "pictures of other things",
    "classifier": "a classifier that does not judge",
    "base": "the model before",
    "concept": "pictures of the concept",
    "judge": "a judge",
    "guard": "the guard's embedding",
    "truth": "the truth",
}


def knows(cell) -> str:
    """The hardest to come by of what the maker of a variant is given, of KNOWLEDGE."""
    return max(needed(cell), key=KNOWLEDGE.index)


def frontier(
    rates: pd.DataFrame,
    costs: pd.DataFrame,
    control: str | None,
    search: pd.DataFrame | None = None,
    seen: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """A row an attack on an undefended model, and one for what is released (`knows` is "").

    rates: as `headline.of_both_roles` makes them; by each set's first judge. costs: of attacks that
    train, by the keys of their variant: drawn, forwards, backwards, destroyed, and the words that
    were found; others spend nothing. control: the eraser whose release never knew the concept.
    search: as `search.search` makes it, whose rows stand beside the others, of attempts in the
    place of pictures. seen: by concept, of how many (`seen_n`) pictures of other things that an
    attacker trains on a judge sees the concept in some; so in their rows. gain: the rate less that
    of what is released, on the same pictures and judged as often, with Tango's 95 % interval;
    others: the rate of what is to be preserved; beyond: the rate less the same attack's on the
    control, with the interval of Newcombe's score method.
    """
    plain = rates[(rates["defence"] == keys.NONE) & (rates["eraser"] != keys.NONE)]
    if plain.empty:
        return pd.DataFrame(columns=COLUMNS)
    shown = one_judge(plain)
    others = shown[shown["role"] == "preserved"].set_index(list(variants.KEYS))["rate"]
    others = others[~others.index.duplicated()]
    spent = {tuple(row[key] for key in variants.KEYS): row for row in costs.to_dict("records")}
    out = []
    for row in shown[shown["role"] == "erased"].to_dict("records"):
        cell = {key: row[key] for key in variants.KEYS}
        if "truth" in needed(cell) or cell["variant"] == "alone":
            continue
        place = tuple(cell.values())
        cost = spent.get(tuple(variants.trained(cell).values()), {})
        low, high = interval(row["gained"], row["lost"], row["pairs"])
        out.append(
            cell
            | {name: row[name] for name in ("prompt_set", "judge", "rate", "low", "high", "n")}
            | {"attack": variants.label(cell | {"eraser": "conceptprune"})}
            | {"knows": "" if cell["variant"] == "pruned" else knows(cell)}
            | {"steps": 0 if cell["step"] == keys.NONE else int(cell["step"])}
            | {name: int(cost.get(name, 0)) for name in SPENT[1:3]}
            | {"judged": 0, "words": _words(cost)}
            | {"destroyed": bool(cost.get("destroyed", False))}
            | {"gain": row["gain_on_pruned"], "gain_low": low, "gain_high": high}
            | {"others": others.get(place, np.nan)}
        )
    found = {} if seen is None else seen.set_index("concept")[["seen", "seen_n"]].to_dict("index")
    for row in (row for row in out if row["data"] == "auxiliary"):
        row |= found.get(row["concept"], {})
    table = pd.DataFrame(out + _picked(out, search), columns=COLUMNS)
    table = _beyond(table, control) if control else table
    order = {word: i for i, word in enumerate(("", *KNOWLEDGE))}
    by = ["concept", "eraser", "prompt_set"]
    first = {place: i for i, place in enumerate(dict.fromkeys(zip(*(table[b] for b in by))))}
    table = table.assign(
        _place=[first[place] for place in zip(*(table[b] for b in by))],
        _knows=table["knows"].map(order),
    )
    sorted_ = table.sort_values(["_place", "_knows", "judged", "steps"], kind="stable")
    return sorted_.drop(columns=["_place", "_knows"]).reset_index(drop=True)


def _words(cost) -> str:
    words = cost.get("words", "")
    return words if isinstance(words, str) else ""


def _picked(rows: list[dict], search: pd.DataFrame | None) -> list[dict]:
    """The rows of attacks once more, with a judge who picks the best of several pictures."""
    plain = {(*(row[key] for key in variants.KEYS), row["prompt_set"]): row for row in rows}
    out = []
    for tried in [] if search is None else search.to_dict("records"):
        row = plain.get((*(tried[key] for key in variants.KEYS), tried["prompt_set"]))
        if row and row["judge"] == tried["judge"]:
            ends = {"rate": "best", "low": "best_low", "high": "best_high", "n": "n"}
            ends |= {f"gain{end}": f"over_seeds{end}" for end in ("", "_low", "_high")}
            own = {name: tried[column] for name, column in ends.items()}
            own |= {"attack": f"{tried['attack']}, best of {tried['judged']}"}
            own |= {"judged": tried["judged"]}
            out.append(row | own | {"knows": "judge", "others": np.nan})
    return out


def _beyond(table: pd.DataFrame, control: str) -> pd.DataFrame:
    """With what the same attack brings forth in a model that never knew the concept."""
    by = ["concept", "prompt_set", "attack"]
    held = table[table["eraser"] == control].set_index(by)
    out = []
    for row in table.to_dict("records"):
        place = tuple(row[name] for name in by)
        if row["eraser"] != control and place in held.index:
            never = held.loc[place]
            hits = [round(r["rate"] * r["n"]) for r in (row, never)]
            low, high = confint_proportions_2indep(
                hits[0], row["n"], hits[1], never["n"], method="newcomb", compare="diff"
            )
            row |= {"control": never["rate"], "control_n": never["n"]}
            row |= {"beyond": row["rate"] - never["rate"], "beyond_low": low, "beyond_high": high}
        out.append(row)
    return pd.DataFrame(out, columns=COLUMNS)


def known(row: Mapping[str, Any]) -> str:
    """What the attacker of a row of `frontier` knows, in words; of what is released, nothing."""
    if not row["knows"]:
        return ""
    word = knows({key: row[key] for key in variants.KEYS})
    if not row["judged"]:
        return WORDS[word]
    judge = f"{WORDS['judge']} of {row['judged']} pictures a prompt"
    return judge if word == "weights" else f"{WORDS[word]} and {judge}"


def answer(table: pd.DataFrame) -> list[str]:
    """A sentence for each released model: what the best attack of each knowledge brings."""
    told = []
    for (concept, eraser), part in table.groupby(["concept", "eraser"], sort=False):
        released = part[part["knows"] == ""]
        met = part[part["knows"] != ""]
        if released.empty or met["knows"].nunique() < 2:
            continue
        ways = []
        for _, some in met.groupby("knows", sort=False):
            for trains, own in some.groupby(some["steps"] > 0):
                best = own.sort_values("rate", kind="stable").iloc[-1]
                steps = f" and {best['steps']} steps of training" if trains else ""
                never = f", {best['control']:.2f} where it was never known" * pd.notna(
                    best["control"]
                )
                ways.append(f"with {known(best)}{steps} {best['rate']:.2f}{never}")
        told.append(
            f"{concept}, erased by {eraser}: {released['rate'].iloc[0]:.2f} as released; "
            f"{'; '.join(ways)} (n = {int(released['n'].iloc[0])})."
        )
    for concept, part in table[table["seen"] > 0].groupby("concept", sort=False):
        n, of = (int(part[name].iloc[0]) for name in ("seen", "seen_n"))
        told.append(
            f"{concept}: {n} of {of} pictures of other things that an attacker trained on show it "
            f"to its judge, so that what comes back may be taught."
        )
    return told
