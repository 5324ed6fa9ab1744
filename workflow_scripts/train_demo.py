"""Train the demo model and its judges on rendered pictures."""

from pathlib import Path

from regrowth import job
from regrowth.demo.train import train_everything

job.start(snakemake)
job.use_threads(snakemake.threads)
train_everything(
    Path(snakemake.output.model),
    Path(snakemake.output.judges),
    Path(snakemake.output.curve),
    **snakemake.params.settings,
)
