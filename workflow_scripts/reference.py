"""Mean and covariance of the reference pictures' features, which FID compares with."""

from regrowth import compute, job
from regrowth.judges import reference
from regrowth.prompts import source_of
from regrowth.store import write_arrays

study = job.start(snakemake)
compute.use_threads(snakemake.threads)
cell = snakemake.wildcards
source, judge = source_of(study.catalogue, cell.prompts), study.catalogue.judges[cell.judge]
found = reference(judge, study.root, source.reference, compute.device(), source)
write_arrays(snakemake.output[0], found)
