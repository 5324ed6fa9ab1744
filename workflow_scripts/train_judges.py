"""Train the demo model's judges on renders and on what its autoencoder makes of them."""

from pathlib import Path

from diffusers import AutoencoderKL
from regrowth.demo import train, train_judges, world
from regrowth.run import compute
from regrowth.run.job import start
from transformers import CLIPTokenizer

start(snakemake)
compute.use_threads(snakemake.threads)
settings = snakemake.params.settings
images, captions, contents = world.pictures(settings["pictures"], settings["seed"])
vae = AutoencoderKL.from_pretrained(snakemake.input.vae).eval()
train_judges.train_all(
    Path(snakemake.output.judges),
    images,
    train.decode(vae, train.encode(vae, images)),
    captions,
    contents,
    CLIPTokenizer.from_pretrained(snakemake.input.tokenizer),
    settings["steps"],
    settings["seed"],
)
