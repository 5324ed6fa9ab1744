"""The page of a study of classifiers: its tables, for reading."""

import base64
from collections.abc import Mapping
from html import escape

import pandas as pd
from regrowth.classify.gaps import METRICS
from regrowth.files import keys
from regrowth.show import beside

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ccc }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% }
.control, .printed { color: #777 }
"""
SAID = """Points of a hundred, means over runs: accuracy on what is forgotten (df), on tests (dt)
and on what is kept (dr), and the share of the forgotten that an attacker takes for never seen
(mia). The gap is the mean of the four differences to the retrainings; ≈ stands before one that is
below twice theirs among themselves, and not told from a retraining. It has two intervals, which say
different things: 95 % of resampled pictures, of these models; and Student's over runs, by split
where there are several, else by seed. Backwards: pictures that went backwards, over the
retraining's."""
CHOSEN = """One unlearner at several settings. Blind, the one is picked whose forgotten pictures are
known as well as held out ones (of a class: not at all), and whose held out and kept pictures are
known as well as the original knew them; tuned to the oracle, the one of the least gap, which nobody
who unlearns can see. The intervals, of resampled pictures, are of the picked model, not of
picking."""
PAIRED = """Two unlearners of the same original, pictures and seed: by how much the one's gap, and
the share of its forgotten pictures that is taken for never seen (mia), is more than the other's,
with Student's 95 % over splits, of one split over seeds; and in how many runs its gap is the
larger."""
STANDS = """MIA-NN (a reconstruction): how many tests of a forgotten class, and of the class that
the retrainings confuse with it most, are told apart rightly by what the model says of the classes
that are left; 50 is chance. 95 % of Wilson, and the difference to the retrainings, in points of a
hundred."""
TOLD = """What was forgotten told from what was never learnt, by attackers who trained and unlearnt
shadow models: the area under U-LiRA's curve (.5: nothing is told) with 95 % of resampled pictures;
and how much of either is taken for forgotten, by U-LiRA and, from labels alone, by Apollo. Both are
reconstructions."""
LOOKED = """Where the models of the first split and seed look for each picture's own class
(Grad-CAM); the scale of a column ends where the original's map does. Below each picture stands what
it is taken for."""
ALT = "Grad-CAM with and without unlearning: a row a model, a column a picture"
NOTHING: Mapping[str, bytes] = {}
BY = ["concept", "unlearner", "attack"]


def page(
    study: str, about: dict, tables: dict[str, pd.DataFrame], drawn: Mapping[str, bytes] = NOTHING
) -> str:
    """One HTML file that needs nothing else. about: data, network, oracles, controls;
    coverage, where tables are of what is there. drawn: a PNG of Grad-CAM's maps by concept."""
    title = f"{study}: {about['data']}, {about['network']}"
    body = [f"<h1>{escape(title)}</h1><p>{SAID}</p>"]
    for concept, some in tables["gaps"].groupby("concept", sort=False):
        floor = some["floor"].iloc[0]
        noted = "" if pd.isna(floor) else f"<p>Retraining against retraining: {floor:.1f}</p>"
        own = tables["spread"][tables["spread"]["metric"] == "avg_gap"]
        some = some.merge(own.drop(columns="metric"), on=BY, suffixes=("", "_runs"))
        body.append(f"<h2>{escape(str(concept))}</h2>{noted}{_gaps(some, about['controls'])}")
        if concept in drawn:
            told = base64.b64encode(drawn[concept]).decode()
            body.append(f'<p>{LOOKED}</p><img alt="{ALT}" src="data:image/png;base64,{told}">')
    if "relearning" in tables:
        body.append("<h2>Relearning</h2>" + _relearning(tables["relearning"]))
    if "paired" in tables:
        body.append(f"<h2>Run by run</h2><p>{PAIRED}</p>" + _paired(tables["paired"]))
    if "choices" in tables:
        body.append(f"<h2>Settings</h2><p>{CHOSEN}</p>" + _choices(tables["choices"]))
    if len(tables["neighbours"]):
        body.append(f"<h2>Neighbours</h2><p>{STANDS}</p>" + _neighbours(tables["neighbours"]))
    if "shadowed" in tables:
        body.append(f"<h2>Shadow models</h2><p>{TOLD}</p>" + _shadowed(tables["shadowed"]))
    if "missing" in tables:
        body.insert(1, f"<p>{escape(about['coverage'])}; the rest is below.</p>")
        body.append("<h2>Not there</h2>" + _missing(tables["missing"]))
    body.append(beside.section(tables["printed"], about))
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}{"".join(body)}</html>\n'


def _gaps(some: pd.DataFrame, controls: list[str]) -> str:
    heads = ["", *METRICS, "gap", "95 %, pictures", "95 %, runs", "backwards", "runs"]
    rows = []
    for row in some.to_dict("records"):
        name = row["unlearner"] + (f" + {row['attack']}" if row["attack"] != keys.NONE else "")
        broken = row["reason"] and pd.isna(row["avg_gap"])
        cells = [name, *([row["reason"]] if broken else _numbers(row))]
        rows.append((cells, row["unlearner"] in controls))
    return beside.table(heads, rows)


def _numbers(row: dict) -> list[str]:
    if pd.isna(row["avg_gap"]):
        return ["one run alone: nothing to compare with"]
    told = [f"{row[metric]:.1f}" for metric in METRICS]
    pictures = f"{row['low']:.1f} to {row['high']:.1f}"
    runs = "" if pd.isna(row["low_runs"]) else _over(row)
    little = "≈ " if pd.notna(row["floor"]) and not row["told"] else ""
    told += [f"{little}{row['avg_gap']:.1f}", pictures, runs, f"{row['backwards']:.2f}"]
    return [*told, row["reason"] or str(row["runs"])]


def _over(row: dict) -> str:
    return f"{row['low_runs']:.1f} to {row['high_runs']:.1f} ({row['n']:.0f} {row['over']})"


def _paired(table: pd.DataFrame) -> str:
    rows = []
    for key, some in table.groupby([*BY, "against"], sort=False):
        concept, unlearner, attack, against = key
        name = unlearner + (f" + {attack}" if attack != keys.NONE else "")
        by = some.set_index("metric")
        told = [cell for metric in ("avg_gap", "mia") for cell in _difference(by.loc[metric])]
        count = f"{by.loc['avg_gap', 'larger']} of {by.loc['avg_gap', 'runs']}"
        rows.append(([f"{concept}, {name} less {against}", *told, count], False))
    heads = ["", "gap", "95 %, runs", "mia", "95 %, runs", "gap larger"]
    return beside.table(heads, rows)


def _difference(row: pd.Series) -> list[str]:
    if pd.isna(row["mean"]):
        return ["", ""]
    reach = "" if pd.isna(row["low"]) else f"{row['low']:+z.1f} to {row['high']:+z.1f}"
    return [f"{row['mean']:+z.1f}", reach]


def _choices(table: pd.DataFrame) -> str:
    rows = []
    for row in table.to_dict("records"):
        told = [f"{row['concept']}, {row['choice']}, {row['rule']}"]
        if row["of"] and pd.notna(row["avg_gap"]):
            told += [row["picked"], f"{row['score']:.1f}", f"{row['avg_gap']:.1f}"]
            told += [f"{row['low']:.1f} to {row['high']:.1f}", str(row["of"])]
        rows.append((told, False))
    return beside.table(["", "picked", "by", "gap", "95 %, pictures", "of"], rows)


def _neighbours(table: pd.DataFrame) -> str:
    rows = []
    for row in table.to_dict("records"):
        name = row["unlearner"] + (f" + {row['attack']}" if row["attack"] != keys.NONE else "")
        rate, low, high = (f"{100 * row[key]:.1f}" for key in ("rate", "low", "high"))
        told = [f"{row['concept']}, {name}", str(row["nearest"]), rate, f"{low} to {high}"]
        rows.append(([*told, f"{row['difference']:+.1f}", str(row["n"])], False))
    return beside.table(["", "beside class", "stands out", "95 %", "to retrain", "n"], rows)


def _shadowed(table: pd.DataFrame) -> str:
    rows = []
    for row in table.to_dict("records"):
        area = ["", ""]
        if pd.notna(row["auc"]):
            area = [f"{row['auc']:.2f}", f"{row['low']:.2f} to {row['high']:.2f}"]
        rates = [f"{100 * row['tpr']:.1f} of {row['n_forgotten']}"]
        rates += [f"{100 * row['fpr']:.1f} of {row['n_unseen']}", str(row["runs"])]
        rows.append(([f"{row['concept']}, {row['unlearner']}, {row['by']}", *area, *rates], False))
    heads = ["", "area", "95 %", "% of forgotten", "% of never learnt", "runs"]
    return beside.table(heads, rows)


def _missing(table: pd.DataFrame) -> str:
    """table: the keys of a model, and why it is not measured."""
    told = [
        [", ".join(f"{k} {v}" for k, v in row.items() if v != keys.NONE), reason]
        for row, reason in zip(table.drop(columns="reason").to_dict("records"), table["reason"])
    ]
    return beside.table(["", "why"], [(cells, False) for cells in told])


def _relearning(table: pd.DataFrame) -> str:
    rows = []
    for (concept, unlearner), some in table.groupby(["concept", "unlearner"], sort=False):
        passes = [
            row["reason"] or f"{'> ' * row['censored']}{row['passes']:.0f}"
            for row in some.to_dict("records")
        ]
        rows.append(([f"{concept}, {unlearner}", ", ".join(passes)], False))
    return beside.table(["", "passes until the original's accuracy, a run each"], rows)
