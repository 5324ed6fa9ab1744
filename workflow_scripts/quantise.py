"""The 4-bit baseline: every linear weight of the released UNet, symmetric per row."""

from regrowth import job, models, patches
from regrowth.store import read_arrays, write_arrays

study = job.start(snakemake)
weights = models.read_weights(list(models.unet_weights(study.model).values()))
weights |= read_arrays(snakemake.input)
patch = {}
for layer, values in weights.items():
    patch |= patches.quant4_patch(layer, values)
write_arrays(snakemake.output[0], patch)
