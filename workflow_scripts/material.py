"""What erasers learn from, before it is decoded: drawn once for all of a concept's."""

from regrowth.draw.pipeline import load_pipeline
from regrowth.learn import pictures
from regrowth.learn.passed import Passed
from regrowth.run import compute
from regrowth.run.job import start

job, told, cell = start(snakemake), snakemake.params, snakemake.wildcards
compute.use_threads(snakemake.threads)
pipe = load_pipeline(job.model, "float32", compute.device(), told.scheduler)
passed = Passed(pipe.unet)
how = told.pairs, int(cell.pictures), told.steps, told.guidance, job.study.images.batch
made = pictures.shown(pipe, cell.of, *how)
pictures.write(snakemake.output[0], made, of=cell.of, forwards=passed.forwards)
