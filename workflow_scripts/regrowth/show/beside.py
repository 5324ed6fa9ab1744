"""The section of a study of classifiers that holds it beside print."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from regrowth.classify.printed import BOUND, CENSORED, METRICS, RELEARNT

HEADS = dict(zip(METRICS, ("df", "dt", "dr", "mia", "gap"))) | {RELEARNT: "passes to relearn"}
SAID = """Measured, and in grey what is printed, with its deviation over seeds. The interval is
Student's over runs. Where the pictures or the network are others, the two need not agree."""


def section(rows: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """rows: of `classify.printed.beside`. about: data, network."""
    if rows.empty:
        return ""
    body = [f"<h2>Beside print</h2><p>{SAID}</p>"]
    by = ["table", "dataset", "setting", "concept"]
    for (number, dataset, setting, concept), some in rows.groupby(by, sort=False):
        measured = f"{concept} of {about['data']}, {about['network']}"
        same = "" if some["same"].all() else f", beside {measured}"
        body.append(f"<h3>{escape(f'Table {number}: {dataset}, {setting}{same}')}</h3>")
        heads = [m for m in HEADS if (some["metric"] == m).any()]
        lines, notes = [], dict.fromkeys(filter(None, some["note"]))
        marks = {note: str(i) for i, note in enumerate(notes, 1)}
        for (method, name), own in some.groupby(["method", "unlearner"], sort=False):
            told = {row["metric"]: _told(row, marks) for row in own.to_dict("records")}
            called = escape(name if name == method.lower() else f"{name} ({method})")
            lines.append(([called, *(told.get(m, "") for m in heads)], False))
        body.append(table(["", *(HEADS[m] for m in heads)], lines, plain=False))
        body += [f"<p class=printed>{i} {escape(note)}</p>" for note, i in marks.items()]
    return "".join(body)


def _told(row: Mapping[str, Any], marks: Mapping[str, str]) -> str:
    relearnt = row["metric"] == RELEARNT
    own = "> " * (relearnt and BOUND in row["note"]) + f"{row['measured']:.1f}"
    if pd.notna(row["low"]):
        own += f" [{row['low']:.1f}, {row['high']:.1f}]"
    printed = "> " * (relearnt and CENSORED in row["note"]) + f"{row['printed']:g}"
    printed += f" ± {row['std']:g}" if pd.notna(row["std"]) else ""
    mark = f"<sup>{marks[row['note']]}</sup>" if row["note"] else ""
    return f"{own}<br><span class=printed>{printed}</span>{mark}"


def table(heads: list[str], rows: list[tuple[list[str], bool]], plain: bool = True) -> str:
    """rows: cells, and whether they are faint. plain: the cells are text, not HTML."""
    lines = ["<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"]
    for cells, faint in rows:
        told = "".join(f"<td>{escape(cell) if plain else cell}</td>" for cell in cells)
        lines.append(f"<tr{' class=control' if faint else ''}>{told}</tr>")
    return f"<table>{''.join(lines)}</table>"
