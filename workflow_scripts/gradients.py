"""Gradients of the denoising loss on a concept's pictures, for every attacked layer."""

from regrowth.draw import pipeline
from regrowth.files.store import write_arrays
from regrowth.learn import pictures
from regrowth.learn.gradients import gradients
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
told, cell = snakemake.params, snakemake.wildcards
pipe = pipeline.load_pipeline(job.model, "float32", compute.device(), told.scheduler)
if snakemake.input:
    made = pictures.read(snakemake.input[0], pipe.device)
else:
    how = told.pairs, int(cell.pictures), told.steps, told.guidance, job.study.images.batch
    made = pictures.shown(pipe, "target", *how)
found = gradients(pipe, made.latents, made.prompts, told.layers, cell.loss)
write_arrays(snakemake.output[0], found, prompts=made.prompts)
