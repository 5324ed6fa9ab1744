"""Which concept was erased, by who has the base: a score for each candidate."""

import numpy as np
import pandas as pd
from regrowth.attack.identify import by_edit, by_holes
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase.closed_form import READERS, words
from regrowth.files.store import read_arrays, write_frame
from regrowth.models import disk
from regrowth.run.job import start

job, told = start(snakemake), snakemake.params
released = read_arrays(snakemake.input.released)
matrices = disk.matrices(job.model)
if told.how == "holes":
    weights = disk.read_weights(job.layers(list(released)))
    missing = {name: (w == 0) & (weights[name] != 0) for name, w in released.items()}
    read = (read_arrays(file) for file in snakemake.input.calibrated)
    scores = [by_holes(missing, weights, norms) for norms in read]
else:
    readers = [layer for name, layer in matrices.items() if READERS.search(name)]
    before = {n: w.astype(np.float64) for n, w in disk.read_weights(readers).items()}
    after = {name: released.get(name, w).astype(np.float64) for name, w in before.items()}
    said = words(load_pipeline(job.model, "float32", "cpu"), list(told.candidates.values()))
    scores = by_edit(before, after, said)
frame = pd.DataFrame({"candidate": list(told.candidates), "score": scores})
write_frame(snakemake.output[0], frame.assign(by=told.how), study=job.name)
