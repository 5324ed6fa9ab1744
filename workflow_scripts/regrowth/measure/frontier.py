"""The frontier: what an attacker gets back of a released model, by what they know and spend."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from regrowth.attack import KNOWLEDGE, needed
from regrowth.files import keys
from regrowth.measure.cells import one_judge
from regrowth.measure.paired import interval
from regrowth.study import variants

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
    "prompts": "the concept's name",
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
    search: pd.DataFrame | None = None,
    seen: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """A row an attack on an undefended model, and one for what is released (`knows` is "").

    rates: as `headline.of_both_roles` makes them; by each set's first judge. costs: of attacks that
    train, by the keys of their variant: drawn, forwards, backwards, destroyed, and the words that
    were found; others spend nothing. search: as `search.search` makes it, whose rows stand beside
    the others, of attempts in the place of pictures. seen: by concept, of how many (`seen_n`)
    pictures of other things that an attacker trains on a judge sees the concept in some; so in
    their rows. gain: the rate less that of what is released, on the same pictures and judged as
    often, with Tango's 95 % interval; others: the rate of what is to be preserved; control: the
    same attack's on the eraser whose release never knew the concept, where the study names one;
    beyond: the rate less that, likewise.
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
        low = high = np.nan
        if pd.notna(row["pairs"]):  # of what is there, what is released may not be
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
            | _beyond(row)
        )
    found = {} if seen is None else seen.set_index("concept")[["seen", "seen_n"]].to_dict("index")
    for row in (row for row in out if row["data"] == "auxiliary"):
        row |= found.get(row["concept"], {})
    table = pd.DataFrame(out + _picked(out, search), columns=COLUMNS)
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
            for name, over in {"gain": "over_seeds", "beyond": "over_control"}.items():
                ends |= {f"{name}{end}": f"{over}{end}" for end in ("", "_low", "_high")}
            own = {name: tried.get(column, np.nan) for name, column in ends.items()}
            own |= {"attack": f"{tried['attack']}, best of {tried['judged']}"}
            own |= {"judged": tried["judged"]}
            own |= {name: tried.get(name, np.nan) for name in ("control", "control_n")}
            out.append(row | own | {"knows": "judge", "others": np.nan})
    return out


def _beyond(row: Mapping[str, Any]) -> dict[str, float]:
    """With what the same attack brings forth in a model that never knew the concept."""
    if pd.isna(row.get("control_pairs", np.nan)):
        return {}
    gained, lost, n = (row[f"control_{name}"] for name in ("gained", "lost", "pairs"))
    told = {"control": row["control_rate"], "control_n": row["control_n"]}
    told |= {"beyond": (gained - lost) / n if n else np.nan}
    return told | dict(zip(("beyond_low", "beyond_high"), interval(gained, lost, n)))


def known(row: Mapping[str, Any]) -> str:
    """What the attacker of a row of `frontier` knows, in words; of what is released, nothing."""
    if not row["knows"]:
        return ""
    word = knows({key: row[key] for key in variants.KEYS})
    if not row["judged"]:
        return WORDS[word]
    judge = f"{WORDS['judge']} of {row['judged']} pictures a prompt"
    return judge if word == "weights" else f"{WORDS[word]} and {judge}"


def answer(
    table: pd.DataFrame, controls: Collection[str] = (), best_of: Sequence[int] = ()
) -> list[str]:
    """A sentence for each released model: what the best attack of each knowledge brings, with its
    own 95 % interval, which does not count that it was picked of several, and how much of that a
    model that never knew the concept is not taught. controls: the erasers whose releases those
    are. best_of: of how many pictures a judge was to pick."""
    told = []
    for (concept, eraser), part in table.groupby(["concept", "eraser"], sort=False):
        released = part[part["knows"] == ""]
        met = part[part["knows"] != ""]
        if released.empty or met["knows"].nunique() < 2:
            continue
        own, ways = released.iloc[0], []
        for _, some in met.groupby("knows", sort=False):
            for trains, tried in some.groupby(some["steps"] > 0):
                best = tried.sort_values("rate", kind="stable").iloc[-1]
                steps = f" and {best['steps']} steps of training" if trains else ""
                fewer = f" (n = {int(best['n'])})" if best["n"] != own["n"] else ""
                ways.append(f"with {known(best)}{steps} {_rate(best)}{fewer}{_more(best)}")
        name = (
            f"{concept}, erased by {eraser}"
            if eraser not in controls
            else f"{concept}, never known"
        )
        told.append(f"{name}: {_rate(own)} as released; {'; '.join(ways)} (n = {int(own['n'])}).")
    for concept, part in table[table["seen"] > 0].groupby("concept", sort=False):
        n, of = (int(part[name].iloc[0]) for name in ("seen", "seen_n"))
        told.append(
            f"{concept}: {n} of {of} pictures of other things that an attacker trained on show it "
            f"to its judge, so that what comes back may be taught."
        )
    for concept, part in table.groupby("concept", sort=False) if best_of else ():
        if not part["judged"].any():
            told.append(f"{concept}: no judge picks, since no prompt has {min(best_of)} pictures.")
    return told


def _rate(row: Mapping[str, Any]) -> str:
    return f"{row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _more(row: Mapping[str, Any]) -> str:
    if pd.isna(row["beyond"]):
        return ""
    if row["beyond_low"] <= 0:
        return f", not shown to be more than where it was never known ({row['control']:.2f})"
    spread = f"[{row['beyond_low']:.2f}, {row['beyond_high']:.2f}]"
    return f", {row['beyond']:.2f} {spread} beyond a model that never knew it"
