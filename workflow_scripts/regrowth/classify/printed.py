"""What was measured beside what Scissorhands prints (Tables 1 to 8), for the rows that a study has.

Print is of CIFAR, SVHN and CelebA-HQ; of other pictures a study stands beside it, too, and the
table says so.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from regrowth.classify import SOURCES
from regrowth.files import keys

#: Its names of the figures.
METRICS = {"acc_df": "df", "acc_dt": "dt", "acc_dr": "dr", "mia": "mia", "avg_gap": "avg_gap"}
#: What its notes say of a figure that met a cap.
CENSORED = "censored"
#: And what those of a measured one do.
BOUND = "at least"
RELEARNT, PEOPLE = "relearn_epochs", "% of 307 identities"
CLASS = "class (SVHN class 0 in scripts)"
INITS = {"uniform": "uniform", "normal": "normal", "zeros": "zero", "ones": "one"}
ROW = ["table", "dataset", "setting", "method", "metric", "printed", "std"]
BESIDE = [*ROW, "concept", "unlearner", "measured", "low", "high", "n", "over", "same"]
BESIDE += ["difference", "note"]


def beside(
    printed: pd.DataFrame, about: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Every printed figure that a study has measured.

    printed: table, dataset, setting, method, metric, mean, std, note, all text. about: data,
    network, forget, unlearners and printed (what print calls these), as `run.classroom` tells them.
    tables: `spread.spread`'s as "spread"; `gaps.relearnt`'s as "relearning", if there is one.
    Returns printed's columns (its mean as `printed`) with concept, unlearner, measured; low, high,
    n, over: the interval over runs; same: whether the pictures and the network are the printed
    ones; difference, where neither is a bound; note: what makes the printed figure suspicious, or
    the measured one a bound.
    """
    found = pd.concat([_rates(tables["spread"]), _relearnt(tables.get("relearning"))])
    wanted = printed.rename(columns={"mean": "printed"})
    wanted = wanted.astype({"printed": float, "std": float}).fillna({"note": ""})
    source, parts = SOURCES[about["data"]], []
    if source.printed:
        wanted = wanted[wanted["dataset"] == source.printed]
    for concept, what in about["forget"].items():
        for name, method, told in _settings(what, source.people, about):
            rows = wanted[(wanted["setting"] == told) & (wanted["method"] == method)]
            rows = rows.assign(concept=concept, unlearner=name)
            parts.append(rows.merge(found, on=["concept", "unlearner", "metric"]))
    none = pd.DataFrame(columns=[*ROW, "note", *found.columns])
    out = pd.concat(parts, ignore_index=True) if parts else none
    out["note"] = (out["note"] + "; " + out["bound"]).str.strip("; ")
    out["same"] = (out["dataset"] == source.printed) & (about["network"] == source.network)
    bounds = out["note"].str.contains(CENSORED) | (out["bound"] != "")
    out["difference"] = (out["measured"] - out["printed"]).mask(bounds)
    order = out.assign(place=out["setting"].map(list(wanted["setting"].unique()).index))
    return out.loc[order.sort_values(["table", "dataset", "place"], kind="stable").index][BESIDE]


def _settings(what: Mapping[str, Any], people: int, about) -> Iterator[tuple[str, str, str]]:
    """Each unlearner with its printed name and what print calls this forgetting by it."""
    if what["kind"] == "classes":
        n = what.get("first") or len(what["classes"])
        told = CLASS if n == 1 else ""
        told = f"{100 * n / people:.0f}{PEOPLE}" if people else told
    else:
        told = f"random {100 * what['share']:g}%" if what["share"] else ""
    for name, one in about["unlearners"].items():
        method = about["printed"][name]
        plain = one.get("project", True) and one.get("init", "uniform") == "uniform"
        if method and plain:
            yield name, method, told
        if "project" in one:  # Table 4
            projected = "yes" if one["project"] else "no"
            yield name, method, f"{told}; projection {projected}, {INITS[one['init']]}"


def _rates(spread: pd.DataFrame) -> pd.DataFrame:
    own = spread[(spread["attack"] == keys.NONE) & spread["mean"].notna()]
    back = {ours: theirs for theirs, ours in METRICS.items()}
    own = own.assign(metric=own["metric"].map(back), bound="")
    return own.rename(columns={"mean": "measured"}).drop(columns="attack")


def _relearnt(table: pd.DataFrame | None) -> pd.DataFrame:
    """Mean passes of the runs that did not break; where one met its cap, that is a lower bound."""
    rows: list[dict[str, Any]] = []
    if table is not None:
        whole = table[table["reason"] == ""]
        for (concept, unlearner), some in whole.groupby(["concept", "unlearner"], sort=False):
            capped = int(some["censored"].sum())
            bound = f"{BOUND}: {capped} of {len(some)} runs met the cap" if capped else ""
            own = {"concept": concept, "unlearner": unlearner, "metric": RELEARNT, "bound": bound}
            rows.append(own | {"measured": some["passes"].mean(), "n": len(some)})
    columns = ["concept", "unlearner", "metric", "measured", "low", "high", "n", "over", "bound"]
    return pd.DataFrame(rows, columns=columns)
