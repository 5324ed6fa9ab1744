"""Print what of the study is done, running, failed or waiting."""

from pathlib import Path

from regrowth import dag, driver, job, progress

study = job.start(snakemake)
told = snakemake.params
driven = driver.is_driven(Path("results", study.study.study))
states = progress.states(dag.records(told.settings, told.snakefile, told.cores), driven)
print("", progress.text(states, driven), "", progress.coverage(states) + ".", sep="\n")
