"""Every table of the study, as parquet, CSV and LaTeX."""

import json
from functools import partial
from pathlib import Path

import pandas as pd
from regrowth.files.store import keys_of, read_arrays, read_hive, write_table, write_text
from regrowth.judge import READ_BY_CELL
from regrowth.measure import erasers, tables
from regrowth.measure.raw import Raw, costs
from regrowth.run.job import start
from regrowth.run.progress import MISSING
from regrowth.show.latex import latex

job = start(snakemake)
given, told, out = snakemake.input, snakemake.params, job.out
rows = json.loads(Path(told.missing).read_text(encoding="utf-8"))["missing"] if told.missing else []
references = {
    (about["judge"], about["prompts"]): read_arrays(file)
    for file in given.references
    for about in [keys_of(file, out / "references")]
}
raw = Raw(given.scores, out / "scores", told.sets, told.together)
read = [name for name, judge in job.catalogue.judges.items() if judge.kind in READ_BY_CELL]
judged = tables.of_judges(
    raw.scores,
    partial(raw.featured, read),
    references,
    job.catalogue,
    told.sets,
    pd.DataFrame(rows, columns=MISSING),
    told.best_of,
    told.controls,
)
frames = {name: read_hive(given[name], out / name) for name in tables.STAGES if given[name]}
frames["costs"] = costs(given.costs, out / "costs")
made = tables.of_study(
    told.names,
    judged,
    frames,
    erasers.released(given.erased, out, told.erasers),
    job.sizes,
    pd.read_csv(job.root / job.study.paper, dtype=str) if job.study.paper else None,
)
target = Path(snakemake.output[0]).parent
for name, table in made.items():
    write_table(target, name, table, study=job.name)
    write_text(target / f"{name}.tex", latex(table))
