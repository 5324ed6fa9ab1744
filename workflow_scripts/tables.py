"""Every table of the study, as parquet, CSV and LaTeX."""

import json
from functools import partial
from pathlib import Path

import pandas as pd
from regrowth.files import keys
from regrowth.files.store import (
    keys_of,
    read_arrays,
    read_hive,
    write_table,
    write_text,
)
from regrowth.judge import READ_BY_CELL
from regrowth.measure import erasers, paper, tables
from regrowth.measure.frontier import frontier
from regrowth.measure.guards import guards
from regrowth.measure.headline import of_both_roles
from regrowth.measure.identified import identified
from regrowth.measure.raw import Raw, costs
from regrowth.measure.tradeoff import tradeoff
from regrowth.run.job import start
from regrowth.run.progress import MISSING
from regrowth.show.latex import latex

job = start(snakemake)
out, target = job.out, Path(snakemake.output[0]).parent
lacking = snakemake.params.missing
rows = json.loads(Path(lacking).read_text(encoding="utf-8"))["missing"] if lacking else []
references = {
    (told["judge"], told["prompts"]): read_arrays(file)
    for file in snakemake.input.references
    for told in [keys_of(file, out / "references")]
}
raw = Raw(snakemake.input.scores, out / "scores", snakemake.params.sets, snakemake.params.together)
read = [name for name, judge in job.catalogue.judges.items() if judge.kind in READ_BY_CELL]
made = tables.of_judges(
    raw.scores,
    partial(raw.featured, read),
    references,
    job.catalogue,
    snakemake.params.sets,
    pd.DataFrame(rows, columns=MISSING),
    snakemake.params.best_of,
    snakemake.params.controls,
)
if snakemake.input.signs:
    measured = [read_hive(snakemake.input[n], out / n) for n in ("signs", "alignment", "solves")]
    made |= tables.of_attacks(*measured, job.sizes([*measured[-1]["layer"].unique()]))
for name in ("detectability", "normality"):
    if files := snakemake.input[name]:
        told = read_hive(files, out / name).drop(columns="curve", errors="ignore")
        made[name] = told[[*keys.RELEASED, *(c for c in told if c not in keys.RELEASED)]]
rates = of_both_roles(made)
if "guards" in snakemake.params.names:
    made["guards"] = guards(rates)
if "detectability" in made:
    made["defences"] = tradeoff(rates, made["detectability"])
if "frontier" in snakemake.params.names:
    spent = costs(snakemake.input.costs, out / "costs")
    seen = read_hive(snakemake.input.seen, out / "seen") if snakemake.input.seen else None
    made["frontier"] = frontier(rates, spent, made["search"], seen)
if snakemake.input.identified:
    guesses = read_hive(snakemake.input.identified, out / "identified")
    made["identified"] = identified(guesses)
if snakemake.input.erased:
    found = erasers.released(snakemake.input.erased, out, snakemake.params.erasers)
    made["erasers"] = erasers.erasers(rates, made["integrity"], found.facts)
    names = list(dict.fromkeys(name for mask in found.masks.values() for name in mask))
    made["overlaps"] = erasers.overlaps(found.masks, job.sizes(names))
if job.study.paper:
    made["paper"] = paper.beside(made, pd.read_csv(job.root / job.study.paper, dtype=str))
for name in snakemake.params.names:
    write_table(target, name, made[name], study=job.name)
    write_text(target / f"{name}.tex", latex(made[name]))
