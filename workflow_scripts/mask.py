"""The positions that an eraser erases, as packed bits."""

import logging

from regrowth.erase import ERASERS, READ
from regrowth.files.bits import pack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
settings = dict(snakemake.params.eraser)
eraser = ERASERS[settings["kind"]]
read = read_arrays(snakemake.input)
if eraser.bar:
    every = disk.read_weights(job.layers(snakemake.params.every))
    settings["bar"] = eraser.bar(every, read, settings)
masks, density = {}, {}
for layer, weights in disk.read_weights(job.layers(snakemake.params.layers)).items():
    own = {name: read[f"{layer}:{name}"] for name in READ[eraser.reads]}
    mask = eraser.mask(weights, own, settings)
    masks[layer], density[layer] = pack(mask), float(mask.mean())
    logging.info("%s: density %.4f", layer, density[layer])
write_arrays(snakemake.output[0], masks, density=density)
