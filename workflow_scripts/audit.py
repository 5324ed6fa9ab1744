"""The report card of a checkpoint: one page and one JSON."""

import json
from pathlib import Path

from regrowth.audit.verdict import with_pictures
from regrowth.files.store import write_text
from regrowth.run.job import start
from regrowth.show.audit import page

start(snakemake)
card, *drawn = (json.loads(Path(f).read_text(encoding="utf-8")) for f in snakemake.input)
grids = drawn[0].pop("grids") if drawn else []
if drawn:
    card = with_pictures(card, drawn[0])
write_text(snakemake.output.json, json.dumps(card, indent=1))
write_text(snakemake.output.html, page(card, grids))
