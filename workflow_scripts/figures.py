"""Every figure that is drawn from tables, as PNG and SVG."""

from pathlib import Path

import pandas as pd
from regrowth.files.store import read_hive
from regrowth.measure.cells import names_of
from regrowth.run.job import start
from regrowth.show.figures import FIGURES
from regrowth.show.figures.style import save

job = start(snakemake)
out, target = job.out, Path(snakemake.output[0]).parent
names = names_of(job.catalogue)
tables = {
    Path(file).stem: pd.read_parquet(file).replace({"concept": names})
    for file in snakemake.input.tables
}
if snakemake.input.detectability:
    detectability = read_hive(snakemake.input.detectability, out / "detectability")


def draw(concept: str, kind: str):
    """One figure; of the study as a whole, or of a concept."""
    figure = FIGURES[kind]
    if kind in ("detectability", "roc"):
        more = [snakemake.params.half_width] if kind == "detectability" else []
        return figure(detectability, *more)
    table = tables[{"over-k": "accuracy", "alone": "accuracy"}.get(kind, kind)]
    if concept == "study":
        return figure(table)
    more = [snakemake.params.layers] if kind == "alone" else []
    return figure(table[table["concept"] == names[concept]], names[concept], *more)


for concept, kind in snakemake.params.figures:
    files = (target / f"{concept}-{kind}.{ending}" for ending in ("png", "svg"))
    save(draw(concept, kind), *files)
