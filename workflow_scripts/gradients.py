"""Gradients of the denoising loss on a concept's pictures, for every attacked layer."""

from regrowth.draw.pipeline import load_pipeline
from regrowth.files.store import read_about, read_arrays, write_arrays
from regrowth.learn.gradients import gradients
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
latents = read_arrays(snakemake.input)["latents"]
prompts = read_about(snakemake.input[0])["prompts"]
pipe = load_pipeline(job.model, "float32", compute.device())
layers, loss = snakemake.params.layers, snakemake.wildcards.loss
write_arrays(snakemake.output[0], gradients(pipe, latents, prompts, layers, loss))
