"""Who learns which picture, and who forgets it: one row a picture that is used."""

from regrowth.classify.data import read
from regrowth.classify.parts import frame, parts
from regrowth.files.store import write_frame
from regrowth.run import classroom

study, files = classroom.start(snakemake)
told, cell = snakemake.params, snakemake.wildcards
pictures = read(told.data["kind"], files)
found = parts(pictures, told.data, told.forget, cell.concept, cell.split)
write_frame(snakemake.output[0], frame(pictures, found), study=study)
