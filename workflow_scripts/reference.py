"""Mean and covariance of the reference pictures' features, which FID compares with."""

from regrowth.demo import world
from regrowth.files.store import write_arrays
from regrowth.judge.judges import reference
from regrowth.run import compute, job
from regrowth.study.prompts import source_of

study = job.start(snakemake)
compute.use_threads(snakemake.threads)
cell = snakemake.wildcards
source, judge = source_of(study.catalogue, cell.prompts), study.catalogue.judges[cell.judge]
found = reference(
    judge, study.root, source.reference, compute.device(), source, drawn=world.reference
)
write_arrays(snakemake.output[0], found)
