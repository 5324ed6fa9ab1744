"""The page and the terminal's table."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import yaml
from regrowth.files.store import write_text
from regrowth.measure.cells import names_of
from regrowth.run.job import start
from regrowth.show import album, report
from regrowth.show.readable import pooled
from regrowth.study.prompts import is_unsafe

job = start(snakemake)
told = snakemake.params
out = job.out
names = names_of(job.catalogue)
tables = {
    name: pd.read_parquet(file).replace({"concept": names})
    for name, file in zip(told.names, snakemake.input.tables)
}
figures = {
    (names.get(concept, concept), kind): Path(file).read_text(encoding="utf-8")
    for (concept, kind), file in zip(told.figures, snakemake.input.figures)
    if kind not in report.IN_HTML
}
shown = [
    album.erased(snakemake.input.thumbnails, out / "thumbnails", job.catalogue, concept, sets)
    for concept, sets in told.sets.items()
]
pictures = pd.concat(shown)
unsafe = {name: is_unsafe(job.catalogue, name) for name in pictures["prompt_set"].unique()}
pictures = pictures.assign(unsafe=pictures["prompt_set"].map(unsafe)).replace({"concept": names})
objects = [names[concept] for concept in told.objects]
whole = pooled(tables["accuracy"], objects, told.together)
about = job.study.model_dump(mode="json")
about["yaml"] = yaml.safe_dump(about, sort_keys=False)
about["resolved"] = yaml.safe_load(Path(snakemake.input.model).read_text(encoding="utf-8"))
provenance = pq.read_schema(snakemake.input.tables[0]).metadata[b"regrowth"]
about["versions"] = json.loads(provenance)["versions"]
about["controls"] = job.study.controls
about["times"] = report.times(out / "benchmarks")
about["seconds"] = report.seconds(out / "benchmarks")
write_text(snakemake.output.html, report.page(about, tables, figures, pictures, whole))
summary = report.terminal(tables, whole, job.study.controls)
write_text(snakemake.output.summary, f"\n{summary}\n\nReport: {snakemake.output.html}\n")
