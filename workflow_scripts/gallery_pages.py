"""Every picture that judges one concept, on pages by prompt set."""

import json
from pathlib import Path

import pandas as pd
from regrowth.files.store import write_text
from regrowth.measure.cells import names_of
from regrowth.run.job import start
from regrowth.show import album
from regrowth.study.prompts import is_unsafe

job = start(snakemake)
concept, out = snakemake.wildcards.concept, job.out
shown = [
    album.small(file, out / folder, job.catalogue, concept, snakemake.params.sets, threads)
    for threads in [snakemake.threads]
    for folder in ("images", "thumbnails")
    for file in snakemake.input[folder]
]
pictures = pd.concat(shown, ignore_index=True)
unsafe = {name: is_unsafe(job.catalogue, name) for name in pictures["prompt_set"].unique()}
pictures["unsafe"] = pictures["prompt_set"].map(unsafe)

target, index = Path(snakemake.output[0]), []
name = names_of(job.catalogue)[concept]
for told, pages in album.gallery(job.name, name, pictures):
    index.append(told)
    for file, page in pages:
        write_text(target / file, page)
write_text(target / album.CONTENTS, json.dumps(index, indent=1))
