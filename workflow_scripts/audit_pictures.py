"""Draw a checkpoint, attacked where it can be: by a study of its own, whose tables are read."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import yaml
from regrowth.audit.drawn import drawn, turns
from regrowth.audit.taken import taken
from regrowth.audit.verdict import in_pictures
from regrowth.files import keys
from regrowth.files.store import keys_of, write_text
from regrowth.run import audits, dag
from regrowth.run.job import start
from regrowth.show import album, report
from regrowth.study.prompts import is_unsafe

job = start(snakemake)
asked, folder = snakemake.params.asked, Path(snakemake.output[0]).parent
given, base = audits.opened(asked)
weights = json.loads(Path(snakemake.input[0]).read_text(encoding="utf-8"))
model = audits.model(asked, job.model)
family = job.study.layers or job.card.layers
took = taken(given, folder, model, family, weights["detectors"])
beside = dict(snakemake.config)
catalogue = audits.catalogue(asked, job.catalogue, job.root)
if asked.prompts:
    write_text(asked.catalogue, yaml.safe_dump(catalogue.model_dump(exclude_defaults=True)))


def draw(target: str, attacks: tuple[str, ...]) -> tuple[dict, pd.DataFrame, Path]:
    study = audits.study(asked, beside, catalogue, job.card.name, took, attacks, job.root)
    run = dag.command(snakemake.params.snakefile, study, folder, target, cores=snakemake.threads)
    subprocess.run(run, check=True)
    out = Path("results", study["study"])
    names = ("accuracy", "detections")
    made = {n: pd.read_parquet(out / f"tables/{n}.parquet") for n in names}
    return *drawn(made, study.get("baselines", {})), out


*some, every = turns(took.eraser, asked.stop in audits.YES)
for attacks in some:
    if in_pictures(draw("tables", attacks)[0]["told"]) == "leaks":
        break
else:
    attacks = every
found, shown, out = draw("all", attacks)
root = out / "thumbnails"
files = sorted(map(str, root.rglob("*.parquet")))
sets = sorted({name for f in files for name in keys_of(f, root)["prompts"].split("+")})
pictures = album.erased(files, root, catalogue, keys.slug(asked.concept), sets)
unsafe = {name: is_unsafe(catalogue, name) for name in pictures["prompt_set"].unique()}
grids = report.albums(pictures.assign(unsafe=pictures["prompt_set"].map(unsafe)), shown)
found |= {"eraser": took.eraser, "report": str(out / "report.html"), "grids": grids}
found |= {"tried": attacks, "left": [name for name in every if name not in attacks]}
write_text(snakemake.output[0], json.dumps(found, indent=1, default=str))
