"""Every table of the study, as parquet and CSV."""

from pathlib import Path

from regrowth import job, tables
from regrowth.store import read_arrays, read_hive, replacing, write_frame

study = job.start(snakemake)
out = Path(snakemake.output[0]).parents[1]
references = {Path(f).stem: read_arrays(f)["features"] for f in snakemake.input.references}
scores = read_hive(snakemake.input.scores, out / "scores")
signs = read_hive(snakemake.input.signs, out / "signs")
alignment = read_hive(snakemake.input.alignment, out / "alignment")
solves = read_hive(snakemake.input.solves, out / "solves")
made = tables.all_tables(
    scores,
    signs,
    alignment,
    solves,
    references,
    study.catalogue,
    snakemake.params.sets,
    snakemake.params.variants,
)
for name in snakemake.params.names:
    write_frame(out / "tables" / f"{name}.parquet", made[name], study=study.study.study)
    with replacing(out / "tables" / f"{name}.csv") as part:
        made[name].to_csv(part, index=False, float_format="%.6g")
