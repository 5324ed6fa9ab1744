"""Mean and covariance of the reference pictures' features, which FID compares with."""

from regrowth.demo import world
from regrowth.files.store import write_arrays
from regrowth.measure.reference import reference
from regrowth.run import compute
from regrowth.run.job import start
from regrowth.study.prompts import source_of

job = start(snakemake)
compute.use_threads(snakemake.threads)
cell = snakemake.wildcards
source, judge = source_of(job.catalogue, cell.prompts), job.catalogue.judges[cell.judge]
found = reference(
    judge, job.root, source.reference, compute.device(), source, drawn=world.reference
)
write_arrays(snakemake.output[0], found)
