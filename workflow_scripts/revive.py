"""Keep the surest signs, give them a magnitude: a patch on the released model, or on one layer."""

from regrowth.attack.revival import generator, revive
from regrowth.draw import patches
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.run.job import start

start(snakemake)
cell = snakemake.wildcards
completed = read_arrays(snakemake.input.completed)
patch = {}
alone = snakemake.params.alone
for layer, weights in read_arrays(snakemake.input.released).items():
    if alone not in (None, layer):
        continue
    missing = unpack(completed[f"{layer}:positions"], weights.shape)
    rng = generator(cell.weight_seed, layer)
    values = revive(
        weights, missing, completed[f"{layer}:values"], float(cell.K), cell.magnitude, rng
    )
    patch |= patches.values_patch(layer, missing, values)
write_arrays(snakemake.output[0], patch)
