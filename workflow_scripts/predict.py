"""Every logit of every picture that a study uses, one row a picture."""

import pandas as pd
from regrowth.classify import networks, train
from regrowth.classify.data import used
from regrowth.classify.lesson import taught
from regrowth.files.store import read_arrays, write_frame
from regrowth.run import classroom, compute

study, _ = classroom.start(snakemake)
compute.use_threads(snakemake.threads)
pictures, device = used(snakemake.input.pictures), compute.device()
arrays = read_arrays(snakemake.input.weights)
network = networks.restored(snakemake.params.network, arrays).to(device)
found = train.logits(network, taught(pictures, slice(None), device))
rows = {"picture": pictures.places, "class": pictures.labels, "logits": list(found)}
write_frame(snakemake.output[0], pd.DataFrame(rows), study=study)
