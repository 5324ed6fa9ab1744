"""What an attacker may train on: pictures of the pretrained model, before they are decoded, or of a
folder, as the model's VAE has them."""

import torch
from regrowth.draw import pipeline
from regrowth.files import images
from regrowth.learn import pictures
from regrowth.run import compute
from regrowth.run.job import start
from regrowth.study import lessons

job = start(snakemake)
compute.use_threads(snakemake.threads)
told, of = snakemake.params, snakemake.wildcards
pipe = pipeline.load_pipeline(job.model, "float32", compute.device(), told.scheduler)
batch = job.study.images.batch
if told.given:
    found = lessons.planned(job.study, job.root, of.data, of.concept, told.given)
    latents = pictures.encoded(pipe, [images.read(file) for file, _ in found], batch)
    made = pictures.Pictures(torch.from_numpy(latents), [text for _, text in found])
else:
    rows = pictures.asked(told.prompts, told.pictures, pictures.ATTACKERS_SEED)
    made = pictures.own(pipe, rows, told.steps, told.guidance, batch)
pictures.write(snakemake.output[0], made)
