"""Tables, figures and a page of what is there, and what is not there, and why."""

import json
import os
import subprocess
from pathlib import Path

from regrowth.files.store import write_text
from regrowth.run import dag, driver, progress
from regrowth.run.job import begin

begin(snakemake)
told, folder = snakemake.params, Path(snakemake.params.out, "partial")
records = dag.records(told.settings, told.snakefile, told.cores)
driven = driver.is_driven(folder.parent)
states = progress.states(records, driven)
missing, there = progress.missing(records, states), progress.coverage(states)
print("", progress.text(states, driven), "", sep="\n")
whole = {"made": progress.made(records), "missing": missing.to_dict("records"), "coverage": there}
write_text(folder / "there.json", json.dumps(whole, indent=1))
command = dag.command(told.snakefile, snakemake.config, folder, "--forceall")
done = subprocess.run(command, env=os.environ | {"REGROWTH_PARTIAL": str(folder / "there.json")})
if done.returncode:
    raise SystemExit(f"{there}; no tables can be made of them")
print(f"{there}; the others are rows of {folder}/tables/missing.csv, with the reasons.")
