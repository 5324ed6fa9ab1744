"""Where a finished study's time went: its jobs by rule, and cores that waited.

    python benchmarks/overhead.py results/demo 539

The second argument is the wall time of the run, in seconds; jobs must have been run by it, all of
them, on as many cores as there are.
"""

import os
import re
import sys
from pathlib import Path

import pandas as pd
import speed


def main(folder: Path, wall: float) -> pd.DataFrame:
    files = list(folder.glob("benchmarks/**/*.tsv"))
    rows = pd.DataFrame(
        {
            "rule": re.split(r"[/.]", str(file.relative_to(folder / "benchmarks")))[0],
            "seconds": pd.read_csv(file, sep="\t")["s"].item(),
        }
        for file in files
    )
    found = rows.groupby("rule")["seconds"].agg(jobs="size", seconds="sum").reset_index()
    whole = wall * os.cpu_count()
    found.loc[len(found)] = "Snakemake, idle cores", 0, whole - found["seconds"].sum()
    found.loc[len(found)] = "in all", found["jobs"].sum(), whole
    return found.assign(share=found["seconds"] / whole).sort_values("seconds", ignore_index=True)


if __name__ == "__main__":
    print(speed.machine(), speed.table(main(Path(sys.argv[1]), float(sys.argv[2]))), sep="\n\n")
