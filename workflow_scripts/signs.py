"""How many signs came back: the attack's completed values against the pretrained weights.

And how each layer's completion went, for the table of solves.
"""

import numpy as np
import pandas as pd
from regrowth.files.bits import unpack
from regrowth.files.store import read_about, read_arrays, write_frame
from regrowth.measure import signs
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
completed = read_arrays(snakemake.input.completed)
released = read_arrays(snakemake.input.released)
masks = read_arrays(snakemake.input.masks)
truth = disk.read_weights(job.layers(list(released)))
accuracy, alignment = [], []
for number, (layer, weights) in enumerate(released.items()):
    missing = unpack(completed[f"{layer}:positions"], weights.shape)
    erased = unpack(masks[layer], weights.shape)[missing]
    lost = truth[layer][missing][erased].astype(np.float32)
    guesses = {
        "completed": completed[f"{layer}:values"],
        "row majority": signs.majority(weights, missing, axis=1),
        "column majority": signs.majority(weights, missing, axis=0),
        "random": np.random.default_rng(number).normal(size=int(missing.sum())),
    }
    for name, guess in guesses.items():
        accuracy.append(signs.sign_accuracy(lost, guess[erased]).assign(layer=layer, guess=name))
    matrix = signs.alignment(lost, guesses["completed"][erased])
    cells = [(i + 1, j + 1, v) for (i, j), v in np.ndenumerate(matrix)]
    frame = pd.DataFrame(cells, columns=["recovered", "pretrained", "share"])
    alignment.append(frame.assign(layer=layer, n=len(lost)))
solves = [
    {"layer": layer, "n": len(completed[f"{layer}:values"]), **told}
    for file in snakemake.input.completed
    for layer, told in read_about(file)["solves"].items()
]
write_frame(snakemake.output.solves, pd.DataFrame(solves))
write_frame(snakemake.output.accuracy, pd.concat(accuracy, ignore_index=True))
write_frame(snakemake.output.alignment, pd.concat(alignment, ignore_index=True))
