"""Print what of the study is done, running, failed or waiting."""

from pathlib import Path

from regrowth.run import dag, driver, progress, unsafe
from regrowth.run.job import ROOT, begin
from regrowth.study.load import load_study

begin(snakemake)
told, out = snakemake.params, Path(snakemake.params.out)
driven = driver.is_driven(out)
records = dag.records(told.settings, told.snakefile, told.cores)
states = progress.states(records, driven)
print("", progress.text(states, driven), "", progress.coverage(states) + ".", sep="\n")
if snakemake.config.get("kind") != "classifiers" and not driven:
    study, catalogue, _ = load_study(dict(snakemake.config), ROOT, files=False)
    waited_for, made = progress.waited_for(records), set(map(Path, progress.made(records)))
    seen = [
        *unsafe.unblurred(out / "images", catalogue, waited_for),
        *unsafe.sharp(out / "thumbnails", catalogue, made),
    ]
    if seen and not study.keep_unblurred:
        print(
            f"{len(seen)} files have unblurred pictures of unsafe prompts that no judge waits for; "
            f"the next run deletes them, or `snakemake clean`:",
            *seen,
            sep="\n    ",
        )
