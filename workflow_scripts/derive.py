"""RECE's embedding as an attack: what the edited model must read to say what it said before."""

import numpy as np
from regrowth.draw.patches import SAID
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase.closed_form import READERS, derived, words
from regrowth.files.store import read_arrays, write_arrays
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
released = read_arrays(snakemake.input.released)
matrices = disk.matrices(job.model)
readers = [layer for name, layer in matrices.items() if READERS.search(name)]
before = {name: w.astype(np.float64) for name, w in disk.read_weights(readers).items()}
after = {name: released.get(name, w).astype(np.float64) for name, w in before.items()}
(said,) = words(load_pipeline(job.model, "float32", "cpu"), [snakemake.params.word])
found = derived(before, after, said, snakemake.params.ridge)
write_arrays(snakemake.output[0], {SAID: found.astype(np.float32)})
