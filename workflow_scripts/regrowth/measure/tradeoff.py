"""The trade-off of a defence: its cost, how well it hides, what the strongest attack regrows."""

from collections.abc import Iterable

import pandas as pd
from regrowth.draw import GUARDS
from regrowth.files import keys
from regrowth.measure.cells import one_judge
from regrowth.measure.paired import BUDGET, decide
from regrowth.study import variants
from statsmodels.stats.proportion import proportion_confint

#: More concepts than these are advised on together.
MANY = 3
_DEFENCE = ["concept", "eraser", "defence", "sigma"]
#: What an attack is, whatever it is made on.
_ATTACK = [key for key in variants.KEYS if key not in keys.RELEASED]
_HOLDS = {"within": "yes", "undecided": "undecided", "beyond": "no"}
COLUMNS = [
    *(*_DEFENCE, "draws", "erased", "preserved", "preserved_low", "preserved_high"),
    *("cost", "cost_low", "cost_high", "attacks", "tried", "strongest", "prompt_set"),
    "judge",
    *("weight_seed", "revival", "low", "high", "n", "revival_preserved"),
    *("difference", "difference_low", "difference_high", "wanted"),
    *("detector", "auc", "tpr", "holds", "fewer", "recommended"),
]


def tradeoff(rates: pd.DataFrame, detectability: pd.DataFrame) -> pd.DataFrame:
    """One row per concept, eraser and defence (first: none).

    rates: as `headline.of_both_roles` makes them; of several judges of the same pictures the first
    counts. detectability: the table of that name.

    draws: weight seeds that were attacked. erased: the rate of the released model as it is, the
    mean over draws. cost: how much less of what is preserved it draws than the undefended pruned
    model, on the same pictures, in the worst of its draws, with the interval that `paired.decide`
    gives; preserved: that draw's rate, preserved_low, preserved_high: Wilson's interval, at 1 −
    .05 / the number that the worst is of. strongest: of `attacks` (of `tried` kinds, on every draw
    and prompt set) the one after which the concept shows most more than in the undefended pruned
    model that is not attacked, by `difference` on the same pictures, of this prompt_set and
    weight_seed; revival: its rate, low, high: Wilson's interval at 1 − .05 / attacks, since it was
    chosen. detector: the one of the largest area under the ROC, its auc, and tpr at 1 % false
    positives; of no defence, whose zeros anyone finds, both 1. holds: whether `difference` is
    within BUDGET: "yes", "no", or "undecided", and `wanted` pictures would decide; "" without an
    attack. fewer: of the defences whose cost is known, and not surely beyond BUDGET, whether
    another was drawn more often, or met more kinds of attacks, or more attacks on all its draws;
    recommended: of the rest the one that holds most surely: by `holds`, the top of the difference,
    the cost.
    """
    filled = rates["variant"].isin(["pruned", *variants.COUNTED]) & ~rates["defence"].isin(GUARDS)
    own = one_judge(rates[filled])
    # what a released model is called does not depend on how an attack draws magnitudes
    own["weight_seed"] = own["weight_seed"].where(~own["defence"].isin(variants.FIXED), keys.NONE)
    rows = [
        {**dict(zip(_DEFENCE, cell)), **_of(part, detectability)}
        for cell, part in own.groupby(_DEFENCE, sort=False)
        if cell[2] != keys.NONE or (part["variant"] == "pruned").any()
    ]
    found = []
    for _, some in pd.DataFrame(rows, columns=COLUMNS).groupby(["concept", "eraser"], sort=False):
        plain = some["defence"] == keys.NONE
        some = pd.concat([some[plain], some[~plain]])
        if not plain.any() or plain.all():
            some["holds"] = ""
        _recommend(some)
        found.append(some)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def _of(part: pd.DataFrame, detectability: pd.DataFrame) -> dict:
    first, released = part.iloc[0], part[part["variant"] == "pruned"]
    attacks = part[part["variant"].isin(variants.COUNTED) & (part["role"] == "erased")]
    row = {
        # a draw that nobody attacked says nothing of the others
        "draws": (attacks if len(attacks) else part)["weight_seed"].nunique(),
        "erased": released.loc[released["role"] == "erased", "rate"].mean(),
        "holds": "",
    }
    kept = released[released["role"] == "preserved"]
    if len(kept):
        costs = decide(kept["lost"].fillna(0), kept["gained"].fillna(0), kept["pairs"].fillna(0))
        row |= _rate("preserved", kept, costs.at)
        row |= {"cost": costs.difference, "cost_low": costs.low, "cost_high": costs.high}
    row |= {"attacks": len(attacks), "tried": len(attacks[_ATTACK].drop_duplicates())}
    if len(attacks):
        paired = (attacks[name].fillna(0) for name in ("gained", "lost", "pairs"))
        found = decide(*paired)
        best = attacks.iloc[found.at]
        row |= _rate("revival", attacks, found.at)
        row |= {"difference": found.difference, "wanted": found.wanted}
        row |= {"difference_low": found.low, "difference_high": found.high}
        row["holds"] = _HOLDS[found.word]
        variant = {key: best[key] for key in variants.KEYS}
        attack = variant | {"defence": keys.NONE, "weight_seed": keys.NONE}
        row |= {name: best[name] for name in ("weight_seed", "n", "prompt_set", "judge")}
        same = (part[list(variants.KEYS)] == pd.Series(variant)).all(axis=1)
        row["strongest"] = variants.label(attack)
        row["revival_preserved"] = part.loc[same & (part["role"] == "preserved"), "rate"].mean()
    if first["defence"] == keys.NONE:
        return row | {"detector": "zeros", "auc": 1.0, "tpr": 1.0}
    told = detectability[detectability["layer"] == "all"]
    for key in _DEFENCE:
        told = told[told[key] == first[key]]
    if len(told):
        best = told.loc[told["auc"].idxmax()]
        row |= {key: best[key] for key in ("detector", "auc", "tpr")}
    return row


def _rate(name: str, rows: pd.DataFrame, at: int) -> dict:
    """The rate of the row at `at`, which was chosen of all."""
    chosen = rows.iloc[at]
    ends = proportion_confint(chosen["hits"], chosen["n"], 0.05 / len(rows), "wilson")
    low, high = ("low", "high") if name == "revival" else (f"{name}_low", f"{name}_high")
    return {name: chosen["rate"], low: ends[0], high: ends[1]}


def _recommend(some: pd.DataFrame) -> None:
    """Fill in `fewer` and `recommended` for one concept's defences."""
    some["fewer"], some["recommended"] = False, False
    affordable = some["cost_low"] <= BUDGET  # not so if unknown
    allowed = (some["defence"] != keys.NONE) & (some["holds"] != "") & affordable
    drawn = ~some["defence"].isin(variants.FIXED)
    for met, of in (("draws", drawn), ("tried", True), ("attacks", drawn)):
        few = allowed & of & (some[met] < some.loc[allowed & of, met].max())
        some["fewer"] |= few
        allowed &= ~few
    if allowed.any():
        rank = some["holds"].map({"yes": 0, "undecided": 1, "no": 2})
        order = some[allowed].assign(rank=rank).sort_values(["rank", "difference_high", "cost"])
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
        told = [_in_short(part, plain.loc[part.index]) for _, part in groups]
    else:
        told = [_in_full(row, plain.loc[at]) for at, row in chosen.iterrows()]
    return " ".join(told + none)


def in_words(names: Iterable[str]) -> str:
    """Each once: "church, golf ball and racket"."""
    names = list(dict.fromkeys(names))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _in_short(chosen: pd.DataFrame, plain: pd.DataFrame) -> str:
    first = chosen.iloc[0]
    lead = {
        "yes": "Release {} with {}, which holds{}",
        "undecided": "{}: the best defence tried is {}, with too few pictures to say that it "
        "holds{}",
        "no": "{}: no defence tried holds; the best is {}",
    }[first["holds"]].format(
        in_words(chosen["concept"]), f"{first['defence']} at sigma {first['sigma']}", _drawn(first)
    )
    bare = plain["revival"][plain["attacks"] > 0]
    undefended = f", undefended {_ends(bare)}" if len(bare) else ""
    more = chosen["wanted"].dropna()
    so_many = f"; about {counts(more)} pictures of each would decide" if len(more) else ""
    text = (
        f"{lead} (the strongest attacks regrow {_ends(chosen['revival'])}{undefended}, "
        f"{_ends(chosen['difference'], '+')} [{chosen['difference_low'].min():+.2f}, "
        f"{chosen['difference_high'].max():+.2f}] against erasure alone{so_many})."
    )
    return text[0].upper() + text[1:]


def _none_is_cheap(rest: pd.DataFrame) -> str:
    return (
        f"No defence is recommended for {in_words(rest['concept'])}, since each that was attacked "
        f"costs more than {BUDGET:.2f} of preserved accuracy, or nobody knows how much."
    )


def counts(of: pd.Series) -> str:
    """The least and the largest: "64", "64 to 1,200"."""
    low, high = f"{of.min():,.0f}", f"{of.max():,.0f}"
    return low if low == high else f"{low} to {high}"


def _ends(rates: pd.Series, sign: str = "") -> str:
    low, high = f"{rates.min():{sign}.2f}", f"{rates.max():{sign}.2f}"
    return low if low == high else f"{low} to {high}"


def _drawn(row: pd.Series) -> str:
    """Of how many draws a verdict speaks."""
    if row["defence"] in variants.FIXED:
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
    strongest = row["strongest"] + variants.drawn(row["weight_seed"])
    more = ""
    if pd.notna(row["wanted"]):
        more = f" (n = {row['n']:,}; about {row['wanted']:,.0f} would decide)"
    return (
        f"{row['concept']}: {lead}{more}: the strongest of {row['attacks']} attacks ({strongest}) "
        f"regrows {spread}{undefended}, {_signed(row, 'difference')} against erasure alone; of "
        f"preserved accuracy {row['preserved']:.2f} [{row['preserved_low']:.2f}, "
        f"{row['preserved_high']:.2f}] is left, a cost of {_signed(row, 'cost')}."
    )


def _signed(row, name: str) -> str:
    return f"{row[name]:+.2f} [{row[f'{name}_low']:+.2f}, {row[f'{name}_high']:+.2f}]"
