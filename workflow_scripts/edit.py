"""Released weights of an eraser that changes weights and erases none."""

from regrowth.draw.pipeline import load_pipeline
from regrowth.erase import ERASERS
from regrowth.files.store import write_arrays
from regrowth.models import disk
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
settings = snakemake.params.eraser
pipe = load_pipeline(job.model, "float32", compute.device())
weights = disk.read_weights(list(disk.matrices(job.model).values()))
changed = ERASERS[settings["kind"]].edit(pipe, weights, snakemake.params.about, settings)
write_arrays(snakemake.output[0], changed, about=snakemake.params.about)
