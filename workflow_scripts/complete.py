"""Complete what the detector says is missing, layer by layer, from the released weights alone."""

import logging

from regrowth import defences, job
from regrowth.completion import complete
from regrowth.masks import pack
from regrowth.store import read_arrays, write_arrays

study = job.start(snakemake)
job.use_threads(snakemake.threads)
detect = getattr(defences, snakemake.wildcards.detector)
arrays, told = {}, {}
for layer, weights in read_arrays(snakemake.input[0]).items():
    missing = detect(weights)
    done = complete(weights, missing, snakemake.wildcards.solver, study.device, layer)
    arrays[f"{layer}:positions"], arrays[f"{layer}:values"] = pack(missing), done.values
    told[layer] = {
        "iterations": done.iterations,
        "residual": done.residual,
        "converged": done.converged,
        "note": done.note,
    }
    logging.info("%s: %d missing, %s", layer, missing.sum(), told[layer])
write_arrays(snakemake.output[0], arrays, solves=told)
