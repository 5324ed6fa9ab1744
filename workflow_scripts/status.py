"""Print what of the study is done, running, failed or waiting."""

from pathlib import Path

from regrowth.run import dag, driver, progress, unsafe
from regrowth.run.job import start

job = start(snakemake)
told, out = snakemake.params, job.out
driven = driver.is_driven(out)
records = dag.records(told.settings, told.snakefile, told.cores)
states = progress.states(records, driven)
print("", progress.text(states, driven), "", progress.coverage(states) + ".", sep="\n")
if not job.study.keep_unblurred and not driven:
    waited_for = progress.waited_for(records)
    if seen := [
        *unsafe.unblurred(out / "images", job.catalogue, waited_for),
        *unsafe.sharp(out / "thumbnails", job.catalogue, set(map(Path, progress.made(records)))),
    ]:
        print(
            f"{len(seen)} files have unblurred pictures of unsafe prompts that no judge waits for; "
            f"the next run deletes them, or `snakemake clean`:",
            *seen,
            sep="\n    ",
        )
