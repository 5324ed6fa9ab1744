"""Every logit of every picture that a study uses, one row a picture."""

from regrowth.classify import networks, train
from regrowth.classify.data import read
from regrowth.classify.lesson import taught
from regrowth.classify.parts import placed
from regrowth.files.store import read_arrays, read_frame, write_frame
from regrowth.run import classroom, compute

study, files = classroom.start(snakemake)
compute.use_threads(snakemake.threads)
pictures, device = read(snakemake.params.kind, files), compute.device()
rows = read_frame(snakemake.input.parts)
used = placed(rows, len(pictures.labels)) != "unused"
arrays = read_arrays(snakemake.input.weights)
network = networks.restored(snakemake.params.network, arrays).to(device)
found = train.logits(network, taught(pictures, used, device))
write_frame(snakemake.output[0], rows[["picture", "class"]].assign(logits=list(found)), study=study)
