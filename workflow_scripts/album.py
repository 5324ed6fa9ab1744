"""A concept's pictures before, erased and attacked, as PNG and SVG."""

from regrowth.measure.cells import names_of
from regrowth.run.job import start
from regrowth.show import album
from regrowth.show.figures import rates
from regrowth.show.figures.style import save

job = start(snakemake)
concept, sets = snakemake.wildcards.concept, snakemake.params.sets
shown = album.erased(snakemake.input, job.out / "thumbnails", job.catalogue, concept, sets)
save(rates.pictures(shown, names_of(job.catalogue)[concept]), *snakemake.output)
