"""Train the demo model's autoencoder on rendered pictures."""

from pathlib import Path

from regrowth.demo import train, world
from regrowth.run import compute
from regrowth.run.job import start

start(snakemake)
compute.use_threads(snakemake.threads)
settings = snakemake.params.settings
images, _, _ = world.pictures(settings["pictures"], settings["seed"])
vae = train.new_vae()
file = Path(snakemake.params.checkpoint)
curve = train.train_vae(vae, images, settings["vae_steps"], settings["seed"], file=file)
vae.save_pretrained(snakemake.output.vae)
train.write_curve(snakemake.output.curve, curve)
file.unlink(missing_ok=True)
