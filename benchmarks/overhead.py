"""Where a finished study's time went: work, the start of its jobs, and waiting for either.

    python benchmarks/overhead.py results/demo 539

The second argument is the wall time of the run, in seconds; jobs must have been run by it, all of
them, on as many cores as there are.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import speed

#: What a job imports before it works, beside Snakemake's own part; here: of the heavy ones.
IMPORTS = {
    "calibrate": "regrowth.draw.pipeline, regrowth.erase.calibration",
    "generate": "regrowth.draw.pipeline, regrowth.draw.patches",
    "complete": "regrowth.complete",
    "score": "regrowth.judge.judges, transformers.models.resnet.modeling_resnet",
    "reference": "regrowth.judge.judges, transformers.models.resnet.modeling_resnet",
    "tables": "regrowth.measure.tables, regrowth.measure.tradeoff",
    "figures": "regrowth.show.figures",
    "report": "regrowth.show.report",
}


def start_of(rule: str) -> float:
    """Seconds that an interpreter takes to import what a rule's job does: the least of three."""
    more = IMPORTS.get(rule, "regrowth.run.job")
    what = f"from snakemake import script; import regrowth.run.job, {more}"
    took = []
    for _ in range(3):
        start = time.monotonic()
        subprocess.run([sys.executable, "-c", what], check=True, stderr=subprocess.DEVNULL)
        took.append(time.monotonic() - start)
    return min(took)


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
    found["start"] = found["rule"].map(start_of) * found["jobs"]
    whole = wall * os.cpu_count()
    idle = whole - found["seconds"].sum()
    found.loc[len(found)] = "Snakemake, idle cores", 0, idle, idle
    found.loc[len(found)] = "in all", found["jobs"].sum(), whole, found["start"].sum()
    return found.assign(share=found["start"] / whole).sort_values("seconds", ignore_index=True)


if __name__ == "__main__":
    print(speed.machine(), speed.table(main(Path(sys.argv[1]), float(sys.argv[2]))), sep="\n\n")
