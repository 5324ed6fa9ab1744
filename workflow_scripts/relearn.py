"""An attacker trains the released model further, or a word for it: patches after some steps."""

import numpy as np
import pandas as pd
from regrowth.attack import LESSONS
from regrowth.attack.relearning import learn_word, relearn
from regrowth.draw import pipeline
from regrowth.files.store import read_arrays, write_frame, write_parts
from regrowth.learn import pictures, words
from regrowth.learn.passed import Passed
from regrowth.run import compute
from regrowth.run.job import start

job, told = start(snakemake), snakemake.params
compute.use_threads(snakemake.threads)
settings = told.settings | {"rate": float(snakemake.wildcards.lr)}
pipe = pipeline.load_pipeline(job.model, "float32", compute.device(), told.scheduler)
pipeline.put_weights(pipe, read_arrays(snakemake.input.released))
passed = Passed(pipe.unet)
if lesson := snakemake.input.get("lesson"):
    learnt = pictures.read(lesson[0], pipe.device)
    if made := LESSONS[snakemake.wildcards.get("data", "concept")].made:
        learnt = made(pipe, learnt, told.steps, told.guidance, job.study.images.batch)
else:
    rows = pictures.asked(told.prompts, settings["pictures"], pictures.ATTACKERS_SEED)
    how = told.steps, told.guidance, job.study.images.batch
    learnt = pictures.own(pipe, rows, *how)
drawn, costs = passed.forwards, []


def done(step: int) -> None:
    costs.append({"at": step, "drawn": drawn, **passed.told()})


if guard := snakemake.wildcards.get("through"):
    embedding = snakemake.input.get("guard", [])
    words.guard(pipe, guard, told.word, *embedding, step=str(told.embedded_at))
    settings["guidance"] = told.guidance
if told.word:
    patch, destroyed = learn_word(pipe, learnt, told.word, told.at, settings, done)
else:
    tuned = snakemake.wildcards.parameters
    patch, destroyed = relearn(pipe, learnt, tuned, told.at, settings, done)
frame = pd.DataFrame(costs)
frame["destroyed"] = frame["at"] >= (destroyed or np.inf)
write_frame(snakemake.output.costs, frame, study=job.name)
write_parts(snakemake.output.patch, patch)
