"""Every table of a study of classifiers, as parquet and CSV, and its page."""

from pathlib import Path

import pandas as pd
from regrowth.classify import gaps
from regrowth.classify.printed import beside
from regrowth.classify.spread import spread
from regrowth.classify.study import ORIGINAL, Cell
from regrowth.files import keys
from regrowth.files.store import (
    keys_of,
    read_about,
    read_frame,
    replacing,
    write_frame,
    write_text,
)
from regrowth.run import classroom
from regrowth.show.classifiers import page

study, _ = classroom.start(snakemake)
out, about, given = Path("results", study), snakemake.params.about, snakemake.input


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
for name, compare in (("gaps", gaps.gaps), ("spread", spread)):
    made[name] = compare(outcomes, lambda cell: cell.unlearner in about["oracles"])
if given.relearnt:
    curves = {Cell(*told): read_frame(f) for told, f in by_keys(given.relearnt, "relearnt").items()}
    made["relearning"] = gaps.relearnt(curves)
made["printed"] = beside(pd.read_csv(classroom.PRINTED, dtype=str), about, made)
for name in snakemake.params.names:
    table: pd.DataFrame = made[name]
    write_frame(out / "tables" / f"{name}.parquet", table, study=study)
    with replacing(out / "tables" / f"{name}.csv") as part:
        table.to_csv(part, index=False, float_format="%.6g")
write_text(snakemake.output.page, page(study, about, made))
