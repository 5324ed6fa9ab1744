"""Print what of the study is done, running, failed or waiting."""

from pathlib import Path

from regrowth.run import dag, driver, job, progress, unsafe

study = job.start(snakemake)
told, out = snakemake.params, Path("results", study.study.study)
driven = driver.is_driven(out)
records = dag.records(told.settings, told.snakefile, told.cores)
states = progress.states(records, driven)
print("", progress.text(states, driven), "", progress.coverage(states) + ".", sep="\n")
if not study.study.keep_unblurred and not driven:
    waited_for = progress.waited_for(records)
    if seen := [
        *unsafe.unblurred(out / "images", study.catalogue, waited_for),
        *unsafe.sharp(out / "thumbnails", study.catalogue, set(map(Path, progress.made(records)))),
    ]:
        print(
            f"{len(seen)} files have unblurred pictures of unsafe prompts that no judge waits for; "
            f"the next run deletes them, or `snakemake clean`:",
            *seen,
            sep="\n    ",
        )
