"""Words before a prompt that bring a concept back, found by gradients, after some steps."""

import logging

import numpy as np
import pandas as pd
from regrowth.attack import prefix
from regrowth.draw import pipeline
from regrowth.files.store import read_arrays, write_frame, write_parts
from regrowth.learn import pictures
from regrowth.learn.passed import Passed
from regrowth.models import vocabulary
from regrowth.run import compute
from regrowth.run.job import start
from regrowth.study.young import names_adults

job, told = start(snakemake), snakemake.params
compute.use_threads(snakemake.threads)
settings = told.settings | {"rate": float(snakemake.wildcards.lr)}
pipe = pipeline.load_pipeline(job.model, "float32", compute.device())
pipeline.put_weights(pipe, read_arrays(snakemake.input.released))
passed, costs = Passed(pipe.unet), []
learnt = pictures.read(snakemake.input.lesson[0], pipe.device)
free = vocabulary.free(pipe.tokenizer, told.forbidden, names_adults)
logging.info("forbidden: %s; %d tokens are left", ", ".join(told.forbidden), len(free))


def done(step: int, said: np.ndarray) -> None:
    words = vocabulary.text(pipe.tokenizer, said)
    costs.append({"at": step, "drawn": 0, **passed.told(), "words": words})


tokens = int(snakemake.wildcards.tokens)
patch, destroyed = prefix.found(pipe, learnt, free, tokens, told.at, settings, names_adults, done)
frame = pd.DataFrame(costs)
frame["destroyed"] = frame["at"] >= (destroyed or np.inf)
write_frame(snakemake.output.costs, frame, study=job.name)
write_parts(snakemake.output.patch, patch)
