"""Learn the demo model's tokenizer; kept, because equal counts fall out differently each time."""

from regrowth import job
from regrowth.demo import train, world

job.start(snakemake)
settings = snakemake.params.settings
_, captions, _ = world.pictures(settings["pictures"], settings["seed"])
train.make_tokenizer(captions).save_pretrained(snakemake.output.tokenizer)
