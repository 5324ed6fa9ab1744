"""How soon what was forgotten is learnt again, from its own pictures."""

import numpy as np
import pandas as pd
from regrowth.classify import networks
from regrowth.classify.data import used
from regrowth.classify.lesson import taught
from regrowth.classify.parts import placed
from regrowth.classify.relearn import relearn
from regrowth.files.store import read_arrays, read_frame, write_frame
from regrowth.run import classroom, compute

study, _ = classroom.start(snakemake)
compute.use_threads(snakemake.threads)
told, device, seed = snakemake.params, compute.device(), int(snakemake.wildcards.seed)
pictures = used(snakemake.input.pictures)
forgotten = placed(read_frame(snakemake.input.parts), pictures.places) == "forget"
before = read_frame(snakemake.input.original)
before = before[forgotten]
goal = float(np.mean(np.stack(before["logits"].to_numpy()).argmax(1) == before["class"]))
network = networks.restored(told.network, read_arrays(snakemake.input.weights)).to(device)
curve = relearn(network, taught(pictures, forgotten, device), goal, told.settings, seed)
frame = pd.DataFrame({"passes": range(len(curve)), "accuracy": curve, "goal": goal})
write_frame(snakemake.output[0], frame, study=study)
