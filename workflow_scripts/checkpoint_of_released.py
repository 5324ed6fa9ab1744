"""A released model as a pipeline's directory, to be used outside the study."""

import torch
from regrowth.draw import pipeline
from regrowth.files.store import read_arrays
from regrowth.run.job import start

job, dtype = start(snakemake), snakemake.params.dtype
pipe = pipeline.load_pipeline(job.model, dtype, "cpu")
pipeline.put_weights(pipe, read_arrays(snakemake.input.released))
pipeline.save(pipe, snakemake.output[0], getattr(torch, dtype))
