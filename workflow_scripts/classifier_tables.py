"""Every table of a study of classifiers, as parquet and CSV, and its page."""

import json
from functools import partial
from pathlib import Path

import pandas as pd
from regrowth.classify import gaps
from regrowth.classify.betrayed import betrayed
from regrowth.classify.choices import chosen
from regrowth.classify.neighbours import nearest
from regrowth.classify.paired import paired
from regrowth.classify.printed import beside
from regrowth.classify.spread import spread
from regrowth.classify.study import KEYS, ORIGINAL, Cell
from regrowth.files import keys
from regrowth.files.store import (
    keys_of,
    read_about,
    read_frame,
    write_table,
    write_text,
)
from regrowth.run import classroom
from regrowth.show.classifiers import page

study, _ = classroom.start(snakemake)
out, about, given = Path("results", study), snakemake.params.about, snakemake.input
made_at, missing = Path(snakemake.output.page).parent, snakemake.params.missing


def by_keys(files, stage: str) -> dict[tuple[str, ...], str]:
    return {tuple(keys_of(file, out / stage).values()): file for file in files}


split, models = by_keys(given.parts, "splits"), by_keys(given.weights, "models")
predicted = by_keys(given.predictions, "predictions")
outcomes = []
for told, file in by_keys(given.membership, "membership").items():
    cell = Cell(*told)
    made = (cell.split, keys.NONE, *told[2:]) if cell.unlearner == ORIGINAL else told
    parts = read_frame(split[told[:2]]).set_index("picture")["part"]
    passed = read_about(models[made[:4]])["backwards"]
    rows = read_frame(predicted[made])
    outcomes.append(gaps.outcome(cell, rows, parts, read_frame(file), passed))
made = {"rates": gaps.rates(outcomes)}


def oracle(cell: Cell) -> bool:
    return cell.unlearner in about["oracles"]


for name, compare in (("gaps", gaps.gaps), ("spread", spread), ("neighbours", nearest)):
    made[name] = compare(outcomes, oracle)
if about["against"]:
    made["paired"] = paired(outcomes, oracle, about["against"])
if about["choices"]:
    made["choices"] = chosen(outcomes, made["gaps"], about["choices"], about["forget"])
broken = {one.cell for one in outcomes if not one.right}
for name, stage, table_of in (
    ("relearning", "relearnt", partial(gaps.relearnt, broken=broken)),
    ("shadowed", "shadowed", betrayed),
):
    if some := given.get(stage):
        files = by_keys(some, stage).items()
        made[name] = table_of({Cell(*told): read_frame(file) for told, file in files})
made["printed"] = beside(pd.read_csv(classroom.PRINTED, dtype=str), about, made)
if missing:
    told = json.loads(Path(missing).read_text(encoding="utf-8"))
    made["missing"] = pd.DataFrame(told["missing"], columns=[*KEYS, "reason"])
    about |= {"coverage": told["coverage"]}
for name in snakemake.params.names:
    write_table(made_at / "tables", name, made[name], study=study)
drawn = {Path(f).name.removesuffix("-gradcam.png"): Path(f).read_bytes() for f in given.figures}
write_text(snakemake.output.page, page(study, about, made, drawn))
