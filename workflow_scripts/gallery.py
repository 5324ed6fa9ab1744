"""The gallery's first page: what pages there are of each concept."""

import json
from pathlib import Path

from regrowth.files.store import write_text
from regrowth.run.job import start
from regrowth.show import album

job = start(snakemake)
index = [
    entry
    for folder in snakemake.input
    for entry in json.loads(Path(folder, album.CONTENTS).read_text(encoding="utf-8"))
]
write_text(snakemake.output[0], album.index(job.name, index))
