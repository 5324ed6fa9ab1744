"""Print what lies in the study's folder that the study does not ask for; delete it if told to."""

import shutil
from pathlib import Path

import pandas as pd
from regrowth.run import dag, progress
from regrowth.run.job import begin
from regrowth.run.plan import size

begin(snakemake)
told, out = snakemake.params, Path(snakemake.params.out)
records = dag.records(told.settings, told.snakefile, told.cores)
found = progress.leftovers(records, out)
sizes = pd.Series({file: file.stat().st_size for file in found}, dtype=float)
by_stage = sizes.groupby(lambda file: file.relative_to(out).parts[0])
lines = [f"{stage:<16}{len(part):>9,} files{size(part.sum()):>12}" for stage, part in by_stage]
did = "deleted" if told.delete else "that `snakemake clean` would delete"
print("", *lines, f"{len(found):,} files, {size(sizes.sum())}, {did}.", sep="\n")
if told.delete:
    for file in found:
        file.unlink()
    for folder in sorted((f for f in out.rglob("*") if f.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    shutil.rmtree(out / "partial", ignore_errors=True)
