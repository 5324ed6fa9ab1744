"""Write down which model this study uses: files, checksums, layers, sampler."""

import yaml
from regrowth.files.store import write_text
from regrowth.run.job import start

job = start(snakemake)
layers = job.layers(snakemake.params.layers)
resolved = {
    "name": job.card.name,
    "path": job.card.path,
    "revision": job.card.revision,
    "digest": snakemake.params.model,
    "sampler": dict(snakemake.params.sampler),
    "dtype": job.card.dtype,
    "layout": dict(snakemake.params.layout),
    "layers": {layer.name: list(layer.shape) for layer in layers},
}
write_text(snakemake.output[0], yaml.safe_dump(resolved, sort_keys=False))
