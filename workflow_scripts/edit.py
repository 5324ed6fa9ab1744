"""Released weights of an eraser that changes weights and erases none."""

import logging
from pathlib import Path

import numpy as np
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase import ERASERS
from regrowth.files.digests import digest
from regrowth.files.store import checksum, read_about, read_arrays, write_arrays
from regrowth.learn import pictures
from regrowth.learn.loop import Blown
from regrowth.learn.passed import Passed
from regrowth.learn.state import Kept
from regrowth.models import disk
from regrowth.run import compute
from regrowth.run.job import start

job, told = start(snakemake), snakemake.params
compute.use_threads(snakemake.threads)
pipe = load_pipeline(job.model, "float32", compute.device(), told.about["scheduler"])
weights = disk.read_weights(list(disk.matrices(job.model).values()))
file = Path(snakemake.output[0]).with_name(".edit.state.pt")
shown = {given: read_about(given) for given in snakemake.input}
drawn = {of["of"]: pictures.read(given, pipe.device) for given, of in shown.items()}
passed = Passed(pipe.unet, sum(of["forwards"] for of in shown.values()))
seen = [checksum(read_arrays(given), of) for given, of in shown.items()]
held = digest(told.code, told.versions, told.model, told.about, told.eraser, seen)
kept = Kept(file, held, passed=passed)
about = {"about": told.about}
before = {name: p.detach().cpu().numpy().copy() for name, p in pipe.unet.named_parameters()}
try:
    changed = ERASERS[told.eraser["kind"]].edit(pipe, weights, told.about, told.eraser, kept, drawn)
except Blown as blown:  # what it has become is a result, too
    logging.error("%s", blown)
    changed, about["destroyed"] = blown.weights, f"step {blown.step}"
moved = (np.count_nonzero(before[name] != weights) for name, weights in changed.items())
about |= {"changed": int(sum(moved)), **passed.told()}
write_arrays(snakemake.output[0], changed, **about)
kept.drop()
