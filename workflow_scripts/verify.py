"""Read every result of the study, name what is damaged, and set it aside."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from regrowth.files.store import Damaged, read_arrays, read_frame
from regrowth.run import dag
from regrowth.run.job import begin

READERS = {".parquet": read_frame, ".safetensors": read_arrays}


def damage(file: str) -> str:
    try:
        READERS[Path(file).suffix](file)
    except Damaged as error:
        return error.why
    return ""


begin(snakemake)
told = snakemake.params
records = dag.records(told.settings, told.snakefile, told.cores)
made = [file for record in records for file in record["outputs"] if Path(file).is_file()]
files = [file for file in made if Path(file).suffix in READERS]
with ThreadPoolExecutor(told.cores) as pool:
    found = {file: why for file, why in zip(files, pool.map(damage, files)) if why}
lines = [f"{file} is damaged ({why})" for file, why in found.items()]
print("", *lines, f"{len(files):,} files read, {len(found)} damaged.", sep="\n")
if found:
    print("To make them anew, and nothing else, with the study's own --configfile:")
    print(f"    snakemake {' '.join(found)}")
    sys.exit(1)
