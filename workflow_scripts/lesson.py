"""What an attacker may train on: pictures of the pretrained model, before they are decoded."""

from regrowth.draw import pipeline
from regrowth.files.store import write_arrays
from regrowth.learn import pictures
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
told = snakemake.params
rows = pictures.asked(told.prompts, told.pictures)
pipe = pipeline.load_pipeline(job.model, "float32", compute.device())
made = pipeline.latents(pipe, rows, told.steps, told.guidance, job.study.images.batch)
write_arrays(snakemake.output[0], {"latents": made}, prompts=[row["prompt"] for row in rows])
