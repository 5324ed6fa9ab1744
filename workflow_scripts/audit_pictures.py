"""Draw a checkpoint, attacked where it can be: by a study of its own, whose tables are read."""

import json
import subprocess
from pathlib import Path

import pandas as pd
from regrowth.audit.drawn import drawn, eraser_for
from regrowth.files import keys
from regrowth.files.store import keys_of, write_arrays, write_text
from regrowth.models import disk
from regrowth.run import audits, dag
from regrowth.run.job import start
from regrowth.show import album, report
from regrowth.study.prompts import is_unsafe

job = start(snakemake)
asked, folder = snakemake.params.asked, Path(snakemake.output[0]).parent
given, base = audits.opened(asked)
file = folder / "unet.safetensors"
write_arrays(file, {name: tensor.value() for name, tensor in given.tensors.items()})
layers = disk.attacked_layers(job.model, job.study.layers or job.card.layers)
eraser = eraser_for(file, layers)
beside = dict(snakemake.config)
study = audits.study(asked, beside, job.catalogue, job.card.name, eraser, file)
run = dag.command(snakemake.params.snakefile, study, folder, "all", cores=snakemake.threads)
subprocess.run(run, check=True)
out, concept = Path("results", study["study"]), keys.slug(asked.concept)
names = ("accuracy", "detections")
tables = {name: pd.read_parquet(out / f"tables/{name}.parquet") for name in names}
found, shown = drawn(tables)
root = out / "thumbnails"
files = sorted(map(str, root.rglob("*.parquet")))
sets = sorted({name for f in files for name in keys_of(f, root)["prompts"].split("+")})
pictures = album.erased(files, root, job.catalogue, concept, sets)
unsafe = {name: is_unsafe(job.catalogue, name) for name in pictures["prompt_set"].unique()}
grids = report.albums(pictures.assign(unsafe=pictures["prompt_set"].map(unsafe)), shown)
found |= {"eraser": eraser, "report": str(out / "report.html"), "grids": grids}
write_text(snakemake.output[0], json.dumps(found, indent=1, default=str))
