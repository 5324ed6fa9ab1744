"""The pictures of one variant for one shard of its prompts, and small ones for the report."""

from functools import partial

from regrowth.attack import ROUNDINGS, VARIANTS, latent
from regrowth.draw import autoguidance, patches, pipeline
from regrowth.files import images
from regrowth.files.keys import NONE
from regrowth.files.store import read_arrays, read_part, write_frame
from regrowth.learn import words
from regrowth.models import disk
from regrowth.run import compute
from regrowth.run.job import start
from regrowth.study.sweep import cell_of
from regrowth.study.young import names_adults

job = start(snakemake)
compute.use_threads(snakemake.threads)
cell, settings = cell_of(snakemake.wildcards), snakemake.params
name, rows = cell["variant"], job.rows(snakemake.wildcards, settings.rows)
model, dtype = job.drawn(name), settings.sampling["dtype"]
scheduler = settings.sampling["scheduler"]
pipe = pipeline.load_pipeline(model, dtype, compute.device(), scheduler)
released = read_arrays(snakemake.input.get("released", []))
patch, within = {}, name in VARIANTS and VARIANTS[name].within
if file := snakemake.input.get("patch"):
    patch = read_part(file, cell[within]) if within else read_arrays(file)
weights = patches.apply(released, patch)
if cell["weight"] == NONE:
    pipeline.put_weights(pipe, weights)
else:
    pipeline.put_weights(pipe, released)
    autoguidance.steer(pipe, weights, float(cell["weight"]))
if name in ROUNDINGS:
    alone = settings.sampling["rounded"] == "attacked"
    matrices = (layer for layer, values in released.items() if values.ndim == 2)
    rounded = [*([] if alone else disk.matrices(model)), *matrices]
    pipeline.round_weights(pipe, rounded, ROUNDINGS[name])
word = settings.sampling.get("word", "")
if guard := settings.sampling.get("guard"):  # first: no attack changes what it steers away from
    after = settings.sampling.get("after", "")
    words.guard(pipe, guard, word, snakemake.input.get("guard"), after)
asked = words.asked(pipe, rows, patch, word)
if not all(names_adults(row["prompt"]) for row in asked):
    raise ValueError("a prefix and a prompt together name young people, whom nobody draws")
how = settings.sampling["steps"], settings.sampling["guidance"], job.study.images.batch
encode = partial(images.encode, format=settings.format)
if sampled := name in VARIANTS and VARIANTS[name].sampled:
    given = []
    if lesson := snakemake.input.get("lesson"):
        given = [*read_arrays(lesson).values()]
    if led := VARIANTS[name].led:
        given = [led(job.catalogue.judges[cell["by"]], job.root, word, compute.device())]
    sets = settings.sampling["shows"]
    own = [row["class"] == word or row["prompt_set"] in sets for row in rows]
    cells = latent.drawn(pipe, asked, own, lambda pipe: sampled(pipe, cell, *given), encode, *how)
else:
    cells = [encode(picture) for picture in pipeline.pictures(pipe, asked, *how)]
shard = images.frame(rows, cells)

about = {
    "study": job.name,
    "model": settings.sampling["model"],
    "device": compute.device(),
}
about["keys"] = cell  # columns of these names would break readers of the folder, which has them
small = images.thumbnails(shard, settings.blurred)
write_frame(snakemake.output.thumbnails, small, **about)
write_frame(snakemake.output.images, shard, **about)
