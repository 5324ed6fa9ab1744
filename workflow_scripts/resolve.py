"""Write down which model this study uses: files, checksums, layers, sampler."""

import yaml
from regrowth.files.store import write_text
from regrowth.run import job

study = job.start(snakemake)
layers = study.layers(snakemake.params.layers)
resolved = {
    "name": study.card.name,
    "path": study.card.path,
    "revision": study.card.revision,
    "digest": snakemake.params.model,
    "sampler": dict(snakemake.params.sampler),
    "dtype": study.card.dtype,
    "layout": dict(snakemake.params.layout),
    "layers": {layer.name: list(layer.shape) for layer in layers},
}
write_text(snakemake.output[0], yaml.safe_dump(resolved, sort_keys=False))
