"""Which positions the attacker takes for erased, from the released weights alone."""

from regrowth.attack.detectors import detect
from regrowth.files.bits import pack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.run.job import start

start(snakemake)
found = detect(read_arrays(snakemake.input), snakemake.wildcards.detector)
write_arrays(snakemake.output[0], {layer: pack(mask) for layer, mask in found.items()})
