"""The gallery's first page: what pages there are of each concept."""

import json
from pathlib import Path

from regrowth import album, job
from regrowth.store import write_text

study = job.start(snakemake)
index = [
    entry
    for folder in snakemake.input
    for entry in json.loads(Path(folder, album.CONTENTS).read_text(encoding="utf-8"))
]
write_text(snakemake.output[0], album.index(study.study.study, index))
