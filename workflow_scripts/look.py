"""Whether pictures of other things, which an attacker trains on, show the concept after all."""

import logging

import pandas as pd
from regrowth.draw import pipeline
from regrowth.files.store import read_about, read_arrays, write_frame
from regrowth.judge.judges import hits
from regrowth.learn import pictures
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
(latents,) = read_arrays(snakemake.input).values()
name, concept = snakemake.wildcards.judge, snakemake.params.word
pipe = pipeline.load_pipeline(job.model, "float32", compute.device())
shown = list(pictures.decoded(pipe, latents, job.study.images.batch))
rows = [{"prompt": told, "class": concept} for told in read_about(snakemake.input[0])["prompts"]]
seen = hits(job.catalogue.judges[name], job.root, shown, rows, compute.device())
if seen:
    logging.warning(
        "%s sees %s in %d of %d pictures of other things that are trained on",
        *(name, concept, seen, len(shown)),
    )
told = pd.DataFrame({"seen": [seen], "seen_n": [len(shown)]})
write_frame(snakemake.output[0], told, study=job.name)
