"""Learn the demo model's tokenizer; kept, because equal counts fall out differently each time."""

from regrowth.demo import train, world
from regrowth.run.job import start

start(snakemake)
settings = snakemake.params.settings
_, captions, _ = world.pictures(settings["pictures"], settings["seed"])
train.make_tokenizer(captions).save_pretrained(snakemake.output.tokenizer)
