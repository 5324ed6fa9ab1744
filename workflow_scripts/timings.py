"""What each unlearner took, and how much of a retraining that is, from Snakemake's benchmarks."""

from pathlib import Path

import pandas as pd
from regrowth.classify.study import RELEASED
from regrowth.files.store import keys_of, replacing
from regrowth.run import classroom

study, _ = classroom.start(snakemake)
root = Path("results", study, "benchmarks", "unlearn")
rows = []
for file in sorted(root.rglob("*.tsv")):
    (took,) = pd.read_csv(file, sep="\t")["s"]
    rows.append(keys_of(file.parent / file.stem / "file", root) | {"seconds": took})
frame = pd.DataFrame(rows, columns=[*RELEASED, "seconds"])
mean = frame.groupby(["concept", "unlearner"], sort=False)["seconds"].mean().reset_index()
oracles = mean[mean["unlearner"].isin(snakemake.params.oracles)]
mean["of_retrain"] = mean["seconds"] / mean["concept"].map(
    oracles.groupby("concept")["seconds"].mean()
)
with replacing(snakemake.output[0]) as part:
    mean.to_csv(part, index=False, float_format="%.6g")
