"""Complete what the detector says is missing, layer by layer, from the released weights alone."""

import logging

from regrowth import defences, job
from regrowth.completion import complete_all
from regrowth.masks import pack
from regrowth.store import read_arrays, write_arrays

study = job.start(snakemake)
job.use_threads(snakemake.threads)
detect = getattr(defences, snakemake.wildcards.detector)
layers = {
    layer: (weights, detect(weights)) for layer, weights in read_arrays(snakemake.input[0]).items()
}
arrays, told = {}, {}
for layer, done in complete_all(layers, snakemake.wildcards.solver, study.device).items():
    _, missing = layers[layer]
    arrays[f"{layer}:positions"], arrays[f"{layer}:values"] = pack(missing), done.values
    told[layer] = {
        "iterations": done.iterations,
        "residual": done.residual,
        "converged": done.converged,
        "note": done.note,
        "device": done.device,
        "dtype": done.dtype,
    }
    logging.info("%s: %d missing, %.2f s, %s", layer, missing.sum(), done.seconds, told[layer])
write_arrays(snakemake.output[0], arrays, solves=told)
