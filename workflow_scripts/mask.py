"""The positions that an eraser erases, as packed bits."""

import logging

from regrowth.erase import ERASERS
from regrowth.files.bits import pack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
settings = snakemake.params
eraser = ERASERS[settings.eraser["kind"]]
norms = read_arrays(snakemake.input)
masks, density = {}, {}
for layer, weights in disk.read_weights(job.layers(settings.layers)).items():
    own = {side: norms[f"{layer}:{side}"] for side in ("target", "base") if eraser.calibrated}
    mask = eraser.mask(weights, own, settings.eraser)
    masks[layer], density[layer] = pack(mask), float(mask.mean())
    logging.info("%s: density %.4f", layer, density[layer])
write_arrays(snakemake.output[0], masks, density=density)
