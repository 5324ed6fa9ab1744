"""Every figure of the study, as PNG and SVG."""

from pathlib import Path

import pandas as pd
from regrowth import figures, job
from regrowth.store import read_hive
from regrowth.tables import for_concept

study = job.start(snakemake)
out, target = Path("results", study.study.study), Path(snakemake.output[0]).parent
accuracy = pd.read_parquet(snakemake.input.accuracy)
signs = pd.read_parquet(snakemake.input.signs)
if snakemake.input.defences:
    defences = pd.read_parquet(snakemake.input.defences[0])
    detectability = read_hive(snakemake.input.detectability, out / "detectability")
thumbnails = read_hive(snakemake.input.thumbnails, out / "thumbnails")
for concept, kind in snakemake.params.figures:
    table = accuracy[accuracy["concept"] == concept]
    for ending in ("png", "svg"):
        if kind == "pictures":
            sets = snakemake.params.sets[concept]
            own = for_concept(thumbnails, study.catalogue, concept, sets)
            drawn = figures.pictures(own[own["role"] == "erased"], concept)
        elif kind == "accuracy":
            drawn = figures.accuracy(table, concept)
        elif kind == "over-k":
            drawn = figures.over_k(table, concept)
        elif kind == "defences":
            drawn = figures.defences(defences[defences["concept"] == concept], concept)
        elif kind == "detectability":
            drawn = figures.detectability(detectability, snakemake.params.half_width)
        elif kind == "roc":
            drawn = figures.roc(detectability)
        else:
            drawn = figures.signs(signs)
        figures.save(drawn, target / f"{concept}-{kind}.{ending}")
