"""The trade-off of a defence: its cost, how well it hides, what the strongest attack regrows."""

import pandas as pd
from regrowth import keys
from statsmodels.stats.proportion import proportion_confint

#: How much preserved accuracy a defence may cost, against the undefended pruned model, before it is
#: not recommended, and how much erased accuracy an attack may regrow.
BUDGET = 0.05
#: More concepts than these are advised on together.
MANY = 3
_DEFENCE = ["concept", "eraser", "defence", "sigma"]
COLUMNS = [
    *(*_DEFENCE, "draws", "erased", "preserved", "preserved_low", "preserved_high"),
    *("attacks", "strongest", "weight_seed", "revival", "low", "high", "n", "revival_preserved"),
    *("detector", "auc", "tpr", "holds", "recommended"),
]


def tradeoff(accuracy: pd.DataFrame, detectability: pd.DataFrame) -> pd.DataFrame:
    """One row per concept, eraser and defence (first: none), from the tables of these names.

    draws: weight seeds that were attacked. erased, preserved: rates of the released model as it is,
    the mean over draws; preserved_low, preserved_high: of all its pictures, Wilson's interval.
    strongest: the attack that regrows most, of `attacks` on all draws, weight_seed: on which;
    revival: its rate, with a Wilson interval at 1 − .05 / attacks, since the strongest was chosen.
    detector: the one of the largest area under the ROC, its auc, and tpr at 1 % false positives; of
    no defence, whose zeros anyone finds, both 1. holds: "yes" if the top of the strongest attack's
    interval is at most BUDGET above that of the undefended pruned model, "no" if its bottom is
    above that, else "undecided", and more pictures are wanted; "" without an attack. recommended:
    of the defences whose preserved accuracy is known, and not surely (with its whole interval) more
    than BUDGET below the undefended one, that were drawn as often as any of these or not at all,
    the one whose strongest attack regrows least, then the one that costs least.
    """
    own = accuracy[accuracy["variant"].isin(["pruned", "revived"])].copy()
    # what a released model is called does not depend on how an attack draws magnitudes
    own["weight_seed"] = own["weight_seed"].where(~own["defence"].isin(keys.FIXED), keys.NONE)
    rows = [
        {**dict(zip(_DEFENCE, cell)), **_of(part, detectability)}
        for cell, part in own.groupby(_DEFENCE, sort=False)
        if cell[2] != keys.NONE or (part["variant"] == "pruned").any()
    ]
    found = []
    for _, some in pd.DataFrame(rows, columns=COLUMNS).groupby(["concept", "eraser"], sort=False):
        plain = some["defence"] == keys.NONE
        some = pd.concat([some[plain], some[~plain]])
        some["holds"], some["recommended"] = "", False
        if plain.any() and not plain.all():
            _judge(some, own)
        found.append(some)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def _of(part: pd.DataFrame, detectability: pd.DataFrame) -> dict:
    first = part.iloc[0]
    rates = part.set_index(["variant", "role"])["rate"]
    attacks = part[(part["variant"] == "revived") & (part["role"] == "erased")]
    row = {
        # a draw that nobody attacked says nothing of the others
        "draws": (attacks if len(attacks) else part)["weight_seed"].nunique(),
        "erased": _mean(rates, ("pruned", "erased")),
        "preserved": _mean(rates, ("pruned", "preserved")),
    }
    kept = part[(part["variant"] == "pruned") & (part["role"] == "preserved")]
    if len(kept):
        ends = proportion_confint(kept["hits"].sum(), kept["n"].sum(), method="wilson")
        row["preserved_low"], row["preserved_high"] = ends
    row["attacks"] = len(attacks)
    if len(attacks):
        best = attacks.loc[attacks["rate"].idxmax()]
        low, high = proportion_confint(best["hits"], best["n"], 0.05 / len(attacks), "wilson")
        variant = {key: best[key] for key in keys.VARIANT}
        attack = variant | {"defence": keys.NONE, "weight_seed": keys.NONE}
        row |= {"strongest": keys.label(attack), "weight_seed": best["weight_seed"], "n": best["n"]}
        row |= {"revival": best["rate"], "low": low, "high": high}
        same = (part[list(keys.VARIANT)] == pd.Series(variant)).all(axis=1)
        rates = part[same].set_index(["variant", "role"])["rate"]
        row["revival_preserved"] = _mean(rates, ("revived", "preserved"))
    if first["defence"] == keys.NONE:
        return row | {"detector": "zeros", "auc": 1.0, "tpr": 1.0}
    told = detectability[detectability["layer"] == "all"]
    for key in _DEFENCE:
        told = told[told[key] == first[key]]
    if len(told):
        best = told.loc[told["auc"].idxmax()]
        row |= {key: best[key] for key in ("detector", "auc", "tpr")}
    return row


def _mean(rates: pd.Series, at: tuple[str, str]) -> float:
    """The rate of a role; the mean over prompt sets where there are several."""
    return rates[at].mean() if at in rates.index else float("nan")


def _judge(some: pd.DataFrame, accuracy: pd.DataFrame) -> None:
    """Fill in `holds` and `recommended` for one concept's defences, the undefended row first."""
    plain = some.iloc[0]
    bare = accuracy[
        (accuracy["concept"] == plain["concept"])
        & (accuracy["eraser"] == plain["eraser"])
        & (accuracy["defence"] == keys.NONE)
        & (accuracy["variant"] == "pruned")
        & (accuracy["role"] == "erased")
    ]
    attacked, left = some["attacks"] > 0, bare["high"].max()
    some.loc[attacked, "holds"] = "undecided"
    some.loc[attacked & (some["high"] <= left + BUDGET), "holds"] = "yes"
    some.loc[attacked & (some["low"] > left), "holds"] = "no"
    cost = plain["preserved"] - some["preserved"]
    affordable = some["preserved_high"] >= plain["preserved"] - BUDGET  # not so if unknown
    allowed = attacked & (some["defence"] != keys.NONE) & affordable
    often = some["draws"] == some.loc[allowed, "draws"].max()
    allowed &= often | some["defence"].isin(keys.FIXED)
    if allowed.any():
        order = some[allowed].assign(cost=cost[allowed]).sort_values(["revival", "cost"])
        some.loc[order.index[0], "recommended"] = True


def advice(table: pd.DataFrame) -> str:
    """What a model's owner should do: one sentence a concept, or, of more than MANY, one for all
    that should do the same; empty without a defence."""
    if table.empty:
        return ""
    plain = table[table["defence"] == keys.NONE].set_index(["concept", "eraser"])
    chosen = table[table["recommended"].astype(bool)].set_index(["concept", "eraser"], drop=False)
    chosen = chosen[chosen.index.isin(plain.index)]
    attacked = table[(table["defence"] != keys.NONE) & (table["attacks"] > 0)]
    rest = attacked[~attacked.set_index(["concept", "eraser"]).index.isin(chosen.index)]
    none = [_none_is_cheap(rest)] if len(rest) else []
    if len(chosen) > MANY:
        groups = chosen.groupby(["holds", "defence", "sigma", "draws"], sort=False)
        told = [_in_short(*of[:3], part, plain.loc[part.index]) for of, part in groups]
    else:
        told = [_in_full(row, plain.loc[at]) for at, row in chosen.iterrows()]
    return " ".join(told + none)


def in_words(table: pd.DataFrame) -> str:
    """The table's concepts in words: "church, golf ball and racket"."""
    names = list(dict.fromkeys(table["concept"]))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _in_short(holds: str, defence: str, sigma: str, chosen, plain) -> str:
    lead = {
        "yes": "Release {} with {}, which holds{}",
        "undecided": "{}: the best defence tried is {}, with too few pictures to say that it "
        "holds{}",
        "no": "{}: no defence tried holds; the best is {}",
    }[holds].format(in_words(chosen), f"{defence} at sigma {sigma}", _drawn(chosen.iloc[0]))
    bare = plain["revival"][plain["attacks"] > 0]
    undefended = f", undefended {_ends(bare)}" if len(bare) else ""
    text = f"{lead} (the strongest attacks regrow {_ends(chosen['revival'])}{undefended})."
    return text[0].upper() + text[1:]


def _none_is_cheap(rest: pd.DataFrame) -> str:
    return (
        f"No defence is recommended for {in_words(rest)}, since each that was attacked costs more "
        f"than {BUDGET:.2f} of preserved accuracy, or nobody knows how much."
    )


def _ends(rates: pd.Series) -> str:
    low, high = f"{rates.min():.2f}", f"{rates.max():.2f}"
    return low if low == high else f"{low} to {high}"


def _drawn(row: pd.Series) -> str:
    """Of how many draws a verdict speaks."""
    if row["defence"] in keys.FIXED:
        return ""
    many = row["draws"] > 1
    return (
        f" in each of {row['draws']} draws" if many else f" as drawn with seed {row['weight_seed']}"
    )


def _in_full(row, bare) -> str:
    spread = f"{row['revival']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    undefended = f", undefended {bare['revival']:.2f}" if bare["attacks"] else ""
    lead = {
        "yes": "release it with {}, which holds{}",
        "undecided": "the best defence tried is {}, with too few pictures to say that it holds{}",
        "no": "no defence tried holds; the best is {}",
    }[row["holds"]].format(f"{row['defence']} at sigma {row['sigma']}", _drawn(row))
    strongest = row["strongest"] + keys.drawn(row["weight_seed"])
    return (
        f"{row['concept']}: {lead}: the strongest of {row['attacks']} attacks ({strongest}) "
        f"regrows {spread}{undefended}; without an attack {row['erased']:.2f} is left, and "
        f"preserved accuracy is {row['preserved']:.2f} [{row['preserved_low']:.2f}, "
        f"{row['preserved_high']:.2f}] (undefended {bare['preserved']:.2f})."
    )
