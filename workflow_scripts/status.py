"""Print what of the study is done, running, failed or waiting."""

from regrowth import dag, job, progress

job.start(snakemake)
told = snakemake.params
driven = dag.is_driven()
states = progress.states(dag.records(told.settings, told.snakefile, told.cores), driven)
print("", progress.text(states, driven), "", progress.coverage(states) + ".", sep="\n")
