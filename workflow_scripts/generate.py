"""The pictures of one variant for one shard of its prompts, and small ones for the report."""

from regrowth import generation, job, keys, patches
from regrowth.prompts import bundle_rows
from regrowth.store import read_arrays, write_frame

study = job.start(snakemake)
job.use_threads(snakemake.threads)
cell, settings, images = snakemake.wildcards, snakemake.params, study.study.images
rows = bundle_rows(study.study, study.catalogue, cell.prompts, study.root)
first = int(cell.shard) * images.shard
rows = rows[first : first + images.shard]

pipe = generation.load_pipeline(study.model, study.card.dtype, study.device)
released = read_arrays(snakemake.input.get("released", []))
patch = read_arrays(snakemake.input.get("patch", []))
generation.put_weights(pipe.unet, patches.apply(released, patch))
made = generation.pictures(pipe, rows, settings.steps, settings.guidance, images.batch)
shard = generation.frame(rows, [generation.encode_png(picture) for picture in made])

about = {"study": study.study.study, "model": settings.model}
small = generation.thumbnails(shard, settings.blurred)
write_frame(snakemake.output.thumbnails, small, **about)
named = shard.assign(**{key: cell[key] for key in (*keys.VARIANT, "prompts")})
write_frame(snakemake.output.images, named, **about)
