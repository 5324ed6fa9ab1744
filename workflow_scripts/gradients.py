"""Gradients of the denoising loss on a concept's pictures, for every attacked layer."""

from regrowth.draw import pipeline
from regrowth.files.store import write_arrays
from regrowth.learn import pictures
from regrowth.learn.gradients import gradients
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
settings, cell = snakemake.params, snakemake.wildcards
rows = pictures.asked([target for _, target in settings.pairs], int(cell.pictures))
pipe = pipeline.load_pipeline(job.model, "float32", compute.device())
made = pipeline.latents(pipe, rows, settings.steps, settings.guidance, job.study.images.batch)
prompts = [row["prompt"] for row in rows]
found = gradients(pipe, made, prompts, settings.layers, cell.loss)
write_arrays(snakemake.output[0], found, prompts=prompts)
