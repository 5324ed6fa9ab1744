"""Column norms of every attacked layer over the calibration prompts, base and target."""

from regrowth.draw.pipeline import load_pipeline
from regrowth.erase.calibration import column_norms
from regrowth.files.store import write_arrays
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
settings = snakemake.params
pipe = load_pipeline(job.model, job.card.dtype, compute.device(), settings.scheduler)
arrays = {}
for side, prompts in zip(("base", "target"), zip(*settings.pairs)):
    norms = column_norms(
        pipe,
        prompts,
        settings.layers,
        settings.steps,
        settings.guidance,
        first=int(snakemake.wildcards.steps),
        seed=0,
    )
    arrays |= {f"{layer}:{side}": values for layer, values in norms.items()}
write_arrays(snakemake.output[0], arrays, pairs=settings.pairs)
