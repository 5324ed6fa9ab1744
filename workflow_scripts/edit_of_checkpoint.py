"""Released weights of a model that was changed elsewhere: those that are not the model's own."""

from regrowth.erase import checkpoints
from regrowth.files.store import write_arrays
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
own = disk.stored(job.model)
changed, count = checkpoints.changed(job.checkpoint(snakemake.wildcards), own)
write_arrays(snakemake.output[0], changed, changed=count)
