"""Released weights with a defence that knows what an attacker's completion will say."""

from regrowth.attack.revival import generator
from regrowth.complete.engine import complete_all
from regrowth.defend import FILLS
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
weights, bits = read_arrays(snakemake.input.pruned), read_arrays(snakemake.input.mask)
layers = {layer: (w, unpack(bits[layer], w.shape)) for layer, w in weights.items()}
cell, filled = snakemake.wildcards, {}
for layer, done in complete_all(layers, "nuclear", compute.device()).items():
    rng = generator(cell.weight_seed, layer)
    fill = FILLS[cell.defence].fill
    filled[layer] = fill(*layers[layer], float(cell.sigma), rng, done.values)
write_arrays(snakemake.output[0], filled)
