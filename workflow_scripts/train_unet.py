"""Train the demo model's UNet and text encoder, and write the whole pipeline."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from regrowth.demo import train, world
from regrowth.run import compute
from regrowth.run.job import start
from transformers import CLIPTokenizer

start(snakemake)
compute.use_threads(snakemake.threads)
settings, seed = snakemake.params.settings, snakemake.params.settings["seed"]
of = settings["pictures"], seed, settings["styled"], settings.get("without", ())
images, captions, _ = world.pictures(*of)
parts = Path(snakemake.input.start or Path(snakemake.input.parts[0]).parent)
vae = AutoencoderKL.from_pretrained(parts / "vae", torch_dtype=torch.float32).eval()
tokenizer = CLIPTokenizer.from_pretrained(parts / "tokenizer")
if snakemake.input.start:
    models = train.begun(parts)
    if "ffn_std" in settings:
        train.start_ffn(models[1], settings["ffn_std"])
else:
    models = train.fresh_models(tokenizer, settings["ffn_std"], seed)
for model in models:
    model.to(compute.device())
file = Path(snakemake.params.checkpoint)
curve = train.train_unet(
    train.encode(vae, images) * vae.config.scaling_factor,
    train.token_ids(tokenizer, captions),
    train.token_ids(tokenizer, [""])[0],
    *models,
    settings["steps"],
    seed,
    lr=settings["rate"],
    gating=settings["gating"],
    selectivity=settings["selectivity"],
    file=file,
)
encoder, unet = (model.cpu() for model in models)
train.save_pipeline(snakemake.output.model, vae, encoder, tokenizer, unet)
train.write_curve(snakemake.output.curve, curve)
file.unlink(missing_ok=True)
