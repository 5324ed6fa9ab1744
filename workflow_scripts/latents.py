"""A concept's pictures, or those of what it is held against, as the model itself draws them."""

from regrowth.draw import pipeline
from regrowth.files.store import write_arrays
from regrowth.learn import pictures
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
settings = snakemake.params
rows = pictures.rows(settings.prompts, int(snakemake.wildcards.pictures))
pipe = pipeline.load_pipeline(job.model, settings.dtype, compute.device())
how = settings.steps, settings.guidance, job.study.images.batch
made = pipeline.latents(pipe, rows, *how)
write_arrays(snakemake.output[0], {"latents": made}, prompts=[row["prompt"] for row in rows])
