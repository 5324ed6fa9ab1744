"""The page and the terminal's table."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import yaml
from regrowth import job, report
from regrowth.prompts import is_unsafe
from regrowth.store import read_hive, write_text
from regrowth.tables import for_concept

study = job.start(snakemake)
told = snakemake.params
out = Path("results", study.study.study)
tables = dict(zip(told.names, map(pd.read_parquet, snakemake.input.tables)))
figures = {
    tuple(figure): Path(file).read_text()
    for figure, file in zip(told.figures, snakemake.input.figures)
    if figure[1] not in report.IN_HTML
}
pictures = read_hive(snakemake.input.thumbnails, out / "thumbnails")
unsafe = {name: is_unsafe(study.catalogue, name) for name in pictures["prompt_set"].unique()}
pictures["unsafe"] = pictures["prompt_set"].map(unsafe)
pictures = pd.concat(
    for_concept(pictures, study.catalogue, concept, sets) for concept, sets in told.sets.items()
)
about = study.study.model_dump(mode="json")
about["yaml"] = yaml.safe_dump(about, sort_keys=False)
about["resolved"] = yaml.safe_load(Path(snakemake.input.model).read_text())
provenance = pq.read_schema(snakemake.input.tables[0]).metadata[b"regrowth"]
about["versions"] = json.loads(provenance)["versions"]
about["times"] = report.times(out / "benchmarks")
write_text(snakemake.output.html, report.page(about, tables, figures, pictures, told.objects))
summary = report.terminal(tables, told.objects)
write_text(snakemake.output.summary, f"\n{summary}\n\nReport: {snakemake.output.html}\n")
