"""What each unlearner took, and how much of a retraining that is, from Snakemake's benchmarks."""

from pathlib import Path

import pandas as pd
from regrowth.classify.study import RELEASED
from regrowth.files.store import keys_of, replacing
from regrowth.run import classroom

study, _ = classroom.start(snakemake)
out = Path("results", study)
rows = []
for file in snakemake.input:
    model = Path(file).parent.relative_to(out / "models")
    benchmark = out / "benchmarks/unlearn" / f"{model}.tsv"
    if benchmark.exists():  # not of a file that was brought here
        (took,) = pd.read_csv(benchmark, sep="\t")["s"]
        rows.append(keys_of(file, out / "models") | {"seconds": took})
frame = pd.DataFrame(rows, columns=[*RELEASED, "seconds"])
mean = frame.groupby(["concept", "unlearner"], sort=False)["seconds"].mean().reset_index()
oracles = mean[mean["unlearner"].isin(snakemake.params.oracles)]
mean["of_retrain"] = mean["seconds"] / mean["concept"].map(
    oracles.groupby("concept")["seconds"].mean()
)
with replacing(snakemake.output[0]) as part:
    mean.to_csv(part, index=False, float_format="%.6g")
