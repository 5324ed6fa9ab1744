"""Released weights of an eraser that edits one concept after another."""

import shutil
from pathlib import Path

import numpy as np
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase.in_turn import in_turn
from regrowth.files.digests import digest
from regrowth.files.store import checksum, read_about, read_arrays, replacing, write_arrays
from regrowth.learn.passed import Passed
from regrowth.learn.state import Kept
from regrowth.models import disk
from regrowth.run import compute
from regrowth.run.job import start


def edit(given: Path, target: Path) -> None:
    compute.use_threads(snakemake.threads)
    before, first = read_arrays(given), read_about(given)
    scheduler = told.turns[0]["about"]["scheduler"]
    pipe = load_pipeline(job.model, "float32", compute.device(), scheduler)
    weights = disk.read_weights(list(disk.matrices(job.model).values()))
    own = {name: p.detach().cpu().numpy().copy() for name, p in pipe.unet.named_parameters()}
    passed, begun = Passed(pipe.unet), checksum(before, first)
    kept = [
        Kept(
            target.with_name(f".edit.state.{i}.pt"),
            digest(told.code, told.versions, told.model, begun, told.turns[: i + 1]),
            passed=passed,
        )
        for i in range(len(told.turns))
    ]
    changed, destroyed = in_turn(pipe, weights, before, zip(told.turns, kept))
    about = {"about": [turn["about"] for turn in told.turns]}
    about |= {"destroyed": destroyed} if destroyed else {}
    moved = (np.count_nonzero(own[name] != held) for name, held in changed.items())
    spent = {name: n + first.get(name, 0) for name, n in passed.told().items()}
    write_arrays(target, changed, **about, changed=int(sum(moved)), **spent)
    for state in kept:
        state.drop()


job, told = start(snakemake), snakemake.params
given, target = Path(snakemake.input[0]), Path(snakemake.output[0])
if told.turns:
    edit(given, target)
else:  # it was made for another of its concepts
    with replacing(target) as part:
        shutil.copyfile(given, part)
