"""Read every result of the study, name what is damaged, and set it aside."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from regrowth import dag, job, progress
from regrowth.store import Damaged, read_arrays, read_frame

READERS = {".parquet": read_frame, ".safetensors": read_arrays}


def damage(file: str) -> str:
    try:
        READERS[Path(file).suffix](file)
    except Damaged as error:
        return str(error)
    return ""


job.start(snakemake)
told = snakemake.params
made = progress.made(dag.records(told.settings, told.snakefile, told.cores))
files = [file for file in made if Path(file).suffix in READERS and Path(file).is_file()]
with ThreadPoolExecutor(told.cores) as pool:
    found = {file: why for file, why in zip(files, pool.map(damage, files)) if why}
print("", *found.values(), f"{len(files):,} files read, {len(found)} damaged.", sep="\n")
if found:
    print("To make them anew, and nothing else:", f"    snakemake {' '.join(found)}", sep="\n")
    sys.exit(1)
