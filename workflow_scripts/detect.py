"""Which positions the attacker takes for erased, from the released weights alone."""

from regrowth import job
from regrowth.detectors import detect
from regrowth.masks import pack
from regrowth.store import read_arrays, write_arrays

job.start(snakemake)
found = detect(read_arrays(snakemake.input), snakemake.wildcards.detector)
write_arrays(snakemake.output[0], {layer: pack(mask) for layer, mask in found.items()})
