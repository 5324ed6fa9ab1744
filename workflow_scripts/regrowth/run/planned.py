"""A study as it is planned: its sweep, and what its results depend on."""

import json
from pathlib import Path

from regrowth.models import disk
from regrowth.run import refusals
from regrowth.run.refusals import Refused
from regrowth.study.depends import Depends
from regrowth.study.load import baseline_cards, load_study, put_local
from regrowth.study.sweep import Sweep


def layout(sweep: Sweep, family: str) -> dict:
    """What finished work is filed by."""
    study = sweep.study
    return {
        "layers": family,
        "layers_per_job": study.layers_per_job,
        "shard": study.images.shard,
    }


def planned(config: dict, root: Path, partial: str | None = None) -> tuple[Sweep, Depends]:
    """config: the study, as Snakemake reads it. partial: the file that says which files are there,
    if tables are to be made of these alone. Raises ConfigError or Refused, for people."""
    study, catalogue, card = load_study(config, root)
    baselines = baseline_cards(study, root, [])
    put_local(study, catalogue, list(baselines.values()), [])
    cards = {"pretrained": card} | baselines
    try:
        folders = {name: disk.locate(one, root) for name, one in cards.items()}
        layers = disk.attacked_layers(folders["pretrained"], study.layers or card.layers)
    except (FileNotFoundError, ValueError) as error:
        raise Refused(str(error)) from None
    sweep = Sweep.of(study, catalogue, layers, root)
    refusals.unasked_layer(sweep)
    refusals.other_layout(Path(sweep.out), layout(sweep, study.layers or card.layers))
    if partial:
        made = json.loads(Path(partial).read_text(encoding="utf-8"))["made"]
        sweep = sweep.there(made)
        if not sweep.cells:
            raise Refused("no cell of the study is whole yet")
    else:
        refusals.no_attack(sweep)
        refusals.none_to_pick(sweep)
    refusals.no_spread(sweep)
    return sweep, Depends(sweep, cards, folders)
