"""The page of an audit: one file, and nothing that it would have to fetch."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from regrowth.show import album
from regrowth.show.report import cells

#: Columns of the table of layers, as people read them.
COLUMNS = {
    "layer": "layer",
    "rows": "rows",
    "columns": "columns",
    "zeros": "zeros",
    "natural": "natural at most",
    "pruned": "pruned",
    "whole_rows": "whole rows",
    "whole_columns": "whole columns",
    "taken": "taken for holes",
    "changed": "not the base's",
    "rank": "rank of the difference",
}


def page(told: Mapping[str, Any], grids: Sequence[Mapping[str, Any]] = ()) -> str:
    """told: a report card (`audit.card`), with concept and provenance; grids: of its pictures, as
    `report.albums` makes them."""
    layers = pd.DataFrame(told["layers"], columns=list(COLUMNS)).dropna(axis=1, how="all")
    fills = pd.DataFrame(
        [{"family": name, **one} for name, one in told["fills"].items()],
        columns=["family", "layers", "found", "chance", "ratio", "quiet", "told"],
    )
    tables = {"layers": layers.rename(columns=COLUMNS), "fills": fills}
    return album.TEMPLATES.get_template("audit.html.j2").render(
        card=told,
        tables={name: cells(table, table) for name, table in tables.items() if len(table)},
        grids=grids,
    )
