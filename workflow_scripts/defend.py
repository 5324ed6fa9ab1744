"""Released weights with a defence: what the erased positions are filled with."""

from regrowth.attack.revival import generator
from regrowth.defend import FILLS
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.run.job import start

start(snakemake)
weights, bits = read_arrays(snakemake.input.pruned), read_arrays(snakemake.input.mask)
cell, filled = snakemake.wildcards, {}
for layer, w in weights.items():
    rng = generator(cell.weight_seed, layer)
    mask = unpack(bits[layer], w.shape)
    filled[layer] = FILLS[cell.defence].fill(w, mask, float(cell.sigma), rng)
write_arrays(snakemake.output[0], filled)
