"""What the pictures of a checkpoint tell, from the tables of the study that has drawn it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from regrowth.audit.verdict import UNCOUNTED
from regrowth.erase import checkpoints
from regrowth.measure import headline
from regrowth.models import disk
from regrowth.models.disk import Layer
from regrowth.study import variants


def eraser_for(file: Path, layers: list[Layer]) -> str:
    """What a study takes a checkpoint for: "checkpoint" if it is the model with holes in these
    layers, which attacks complete; else "model", which is drawn as it is."""
    try:
        checkpoints.check(file, layers, disk.read_weights(layers))
    except (OSError, ValueError):
        return "model"
    return "checkpoint"


def drawn(tables: Mapping[str, pd.DataFrame]) -> tuple[dict[str, Any], pd.DataFrame]:
    """What a report card says of pictures, and the rates that it is said from.

    tables: a study's `accuracy` and `detections`, of one concept and one checkpoint. told: the
    verdict on it, as a study's page has it; rates: of each variant how often the concept shows.
    """
    shown = headline.rates(dict(tables))
    top = headline.headline(shown)
    if top.empty:
        return {"told": UNCOUNTED, "rates": []}, shown
    rates = [
        {"label": variants.label({key: row[key] for key in variants.KEYS})}
        | {name: row[name] for name in ("rate", "low", "high", "n")}
        for row in shown.to_dict("records")
    ]
    first = top.iloc[0].to_dict()
    told = {"told": headline.verdict(first), "strongest": first["strongest"]}
    return told | {"rates": rates, "answer": headline.answer(top)}, shown
