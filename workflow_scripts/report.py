"""The page and the terminal's table."""

from pathlib import Path

import pandas as pd
import yaml
from regrowth import job, report
from regrowth.store import write_text

study = job.start(snakemake)
tables = dict(zip(snakemake.params.names, map(pd.read_parquet, snakemake.input.tables)))
captions = [f"{concept}: {figure}" for concept, figure in snakemake.params.figures]
about = study.study.model_dump(mode="json")
about["yaml"] = Path(snakemake.input.model).read_text() + yaml.safe_dump(about, sort_keys=False)
page = report.page(
    about, tables, list(zip(captions, snakemake.input.figures)), snakemake.params.objects
)
write_text(snakemake.output.html, page)
summary = report.terminal(tables, snakemake.params.objects)
write_text(snakemake.output.summary, f"\n{summary}\n\nReport: {snakemake.output.html}\n")
