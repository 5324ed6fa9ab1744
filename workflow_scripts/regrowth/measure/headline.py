"""The study's answer: was each concept erased, did it grow back, and how sure is that."""

from collections.abc import Sequence

import pandas as pd
from regrowth.files import keys
from regrowth.measure.cells import one_judge
from regrowth.measure.paired import Decision, decide
from regrowth.measure.tradeoff import counts, in_words
from regrowth.study import variants
from statsmodels.stats.proportion import proportion_confint

_STAGES = ("pretrained", "pruned", "revived")
_RATE = ("rate", "low", "high", "n")
_DIFFERENCE = ("difference", "difference_low", "difference_high", "wanted")
COLUMNS = [
    *("concept", "eraser", "prompt_set", "judge", "attacks", "strongest"),
    *(f"{stage}_{name}" for stage in _STAGES for name in _RATE),
    *("erased", *(f"erased_{name}" for name in _DIFFERENCE)),
    *("regrown", *(f"regrown_{name}" for name in _DIFFERENCE)),
]
_WORDS = {"beyond": "yes", "within": "no", "undecided": "undecided"}


def rates(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How often the erased concept shows, by variant and prompt set, as its first judge in the
    catalogue's order sees it: `accuracy`, and for what only NudeNet judges its `detections`, by
    the first set of labels and the first threshold."""
    accuracy, found = tables["accuracy"], tables["detections"]
    accuracy = accuracy[accuracy["role"] == "erased"]
    found = found[(found["role"] == "erased") & ~found["concept"].isin(accuracy["concept"])]
    if len(found):
        first = found.drop_duplicates("judge").set_index("judge")[["labels", "threshold"]]
        found = found.merge(first.reset_index(), on=["judge", "labels", "threshold"])
    shared = [c for c in accuracy.columns if c in found.columns]
    parts = [part[shared] for part in (accuracy, found) if len(part)]
    return one_judge(pd.concat(parts, ignore_index=True) if parts else accuracy[shared])


def of_both_roles(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """`rates`, and those of what is preserved, of which a classifier alone has any."""
    accuracy = tables["accuracy"]
    parts = [rates(tables), accuracy[accuracy["role"] == "preserved"]]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def headline(rates: pd.DataFrame, counted: Sequence[str] = variants.COUNTED) -> pd.DataFrame:
    """One row per concept, eraser and prompt set that has a pruned variant without a defence.

    rates: as `rates` makes them. counted: the variants that are `attacks`. strongest: of those on
    the undefended model the one after which the concept shows most; revived_…: its rate, with
    Wilson's interval at 1 − .05 / attacks, since it was chosen. erased: whether the pruned model's
    rate is more than BUDGET below the pretrained one's; regrown: whether the strongest attack's is
    more than that above the pruned model's: "yes", "no" or "undecided", as `paired.decide` finds on
    the same pictures, and "" where there is nothing to compare. …_difference and its interval;
    …_wanted: the n that would decide.
    """
    plain = rates[rates["defence"] == keys.NONE]
    before = plain[plain["variant"] == "pretrained"].set_index(["concept", "prompt_set"])
    rows = []
    for cell, part in plain[plain["eraser"] != keys.NONE].groupby(
        ["concept", "eraser", "prompt_set"], sort=False
    ):
        pruned = part[part["variant"] == "pruned"]
        attacks = part[part["variant"].isin(counted)]
        if pruned.empty:
            continue
        own = pruned.iloc[0]
        row = dict(zip(COLUMNS, (*cell, own["judge"]))) | {"attacks": len(attacks)}
        row |= {"strongest": "", "erased": "", "regrown": ""} | _stage("pruned", own)
        if (cell[0], cell[2]) in before.index:
            row |= _stage("pretrained", before.loc[(cell[0], cell[2])])
            lost, gained = [own["pretrained_lost"]], [own["pretrained_gained"]]
            row |= _decided("erased", decide(lost, gained, [own["pretrained_pairs"]]))
        if len(attacks):
            found = decide(attacks["gained"], attacks["lost"], attacks["pairs"])
            best = attacks.iloc[found.at]
            low, high = proportion_confint(best["hits"], best["n"], 0.05 / len(attacks), "wilson")
            row |= _stage("revived", best) | {"revived_low": low, "revived_high": high}
            row["strongest"] = variants.label({key: best[key] for key in variants.KEYS})
            row |= _decided("regrown", found)
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _stage(stage: str, row: pd.Series) -> dict:
    return {f"{stage}_{name}": row[name] for name in _RATE}


def _decided(what: str, found: Decision) -> dict:
    numbers = found.difference, found.low, found.high, found.wanted
    told = {f"{what}_{name}": value for name, value in zip(_DIFFERENCE, numbers)}
    return {what: _WORDS[found.word]} | told


def verdict(row: dict) -> str:
    """A row of the headline in a few words."""
    if row["erased"] == "no":
        return "was not erased"
    if row["regrown"] == "yes":
        sure = row["erased"] == "yes"
        return "grew back" if sure else "grew back, though erasure is not certain"
    if row["erased"] != "yes":
        return "too few pictures to say that it was erased"
    return {
        "no": "stayed erased",
        "undecided": "erased; too few pictures to say whether it grew back",
        "": "erased; not attacked without training",
    }[row["regrown"]]


def wanted(row: dict) -> float:
    """How many pictures would decide what a row's verdict leaves open; nan if nothing, or none."""
    if row["erased"] in ("undecided", ""):
        return row["erased_wanted"]
    return row["regrown_wanted"] if row["regrown"] == "undecided" else float("nan")


def answer(table: pd.DataFrame) -> str:
    """The study in a sentence or a few. table: as `headline` makes it."""
    if table.empty:
        return "No concept has both a pruned variant and a judge of it."
    told, rows = [], table.to_dict("records")
    table = table.assign(verdict=[verdict(row) for row in rows], open=[wanted(row) for row in rows])
    several = table["eraser"].nunique() > 1
    grown = table[table["verdict"] == "grew back"]
    if len(grown):
        told.append(
            f"Erased by pruning, {_named(grown, several)} grew back from the pruned weights alone, "
            f"without data or training: recognised in {_range(grown, 'pretrained')} of pictures "
            f"before, {_range(grown, 'pruned')} after erasure and {_range(grown, 'revived')} after "
            f"the attack{_gain(grown)} (n = {counts(grown['pruned_n'])})."
        )
    rest = table[table["verdict"] != "grew back"]
    for text, part in rest.groupby("verdict", sort=False):
        before = part["pretrained_rate"].notna().all()
        spread = f"{_range(part, 'pretrained')} before, " if before else ""
        spread += f"{_range(part, 'pruned')} after erasure"
        if (part["attacks"] > 0).all():
            spread += f", {_range(part, 'revived')} after the attack{_gain(part)}"
        spread += f"; n = {counts(part['pruned_n'])}"
        if part["open"].notna().any():
            spread += f"; about {counts(part['open'])} would decide"
        name = _named(part, several)
        told.append(f"{name[0].upper()}{name[1:]}: {text} ({spread}).")
    return " ".join(told)


def _named(table: pd.DataFrame, several: bool) -> str:
    """The concepts in words, with their erasers where a study has several: of each all, up to
    three; those of all of them once, if they are the same."""
    if not several:
        return in_words(table["concept"])
    erasers = table.groupby("concept", sort=False)["eraser"].unique()
    if len(erasers) > 1 and len({(*names,) for names in erasers}) == 1:
        return f"{in_words(erasers.index)} (each by {in_words(erasers.iloc[0])})"
    return in_words(
        f"{concept} ({in_words(names) if len(names) <= 3 else f'{len(names)} erasers'})"
        for concept, names in erasers.items()
    )


def _gain(table: pd.DataFrame) -> str:
    """What the attack brings back, in points, of one row with its interval."""
    of = table[[f"regrown_{name}" for name in _DIFFERENCE[:3]]].dropna() * 100
    if of.empty:
        return ""
    ends = [f"{end:+.0f}" for end in (of.iloc[:, 0].min(), of.iloc[:, 0].max())]
    least = ends[0] if ends[0] == ends[1] else " to ".join(ends)
    spread = f"[{of.iloc[:, 1].min():+.0f}, {of.iloc[:, 2].max():+.0f}]"
    return f", {least} {spread} points on the same pictures"


def _range(table: pd.DataFrame, stage: str) -> str:
    """A rate in percent with its interval; of several rows, the least and the largest."""
    rate, low, high = (table[f"{stage}_{name}"] for name in ("rate", "low", "high"))
    if len(table) == 1:
        return f"{rate.iloc[0]:.0%} [{low.iloc[0] * 100:.0f}, {high.iloc[0] * 100:.0f}]"
    ends = f"{rate.min() * 100:.0f}", f"{rate.max() * 100:.0f}"
    return f"{ends[0]} %" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]} %"
