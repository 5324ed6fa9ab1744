"""The pictures that a split uses, unpacked, with their classes and their places in the source."""

from regrowth.classify.data import read
from regrowth.files.store import read_frame, write_arrays
from regrowth.run import classroom

_, files = classroom.start(snakemake)
every = read(snakemake.params.kind, files, snakemake.params.side)
places = read_frame(snakemake.input[0])["picture"].to_numpy()
arrays = {"images": every.images[places], "labels": every.labels[places], "places": places}
write_arrays(snakemake.output[0], arrays, classes=int(every.labels.max()) + 1)
