"""Train the demo model's UNet and text encoder, and write the whole pipeline."""

from pathlib import Path

from diffusers import AutoencoderKL
from regrowth import job
from regrowth.demo import train, world
from transformers import CLIPTokenizer

job.start(snakemake)
job.use_threads(snakemake.threads)
settings, seed = snakemake.params.settings, snakemake.params.settings["seed"]
images, captions, _ = world.pictures(settings["pictures"], seed)
vae = AutoencoderKL.from_pretrained(snakemake.input.vae).eval()
tokenizer = CLIPTokenizer.from_pretrained(snakemake.input.tokenizer)
encoder, unet = train.fresh_models(tokenizer, settings["ffn_std"], seed)
file = Path(snakemake.params.checkpoint)
curve = train.train_unet(
    train.encode(vae, images) * vae.config.scaling_factor,
    train.token_ids(tokenizer, captions),
    train.token_ids(tokenizer, [""])[0],
    encoder,
    unet,
    settings["unet_steps"],
    seed,
    gating=settings["gating"],
    selectivity=settings["selectivity"],
    file=file,
)
train.save_pipeline(snakemake.output.model, vae, encoder, tokenizer, unet)
train.write_curve(snakemake.output.curve, curve)
file.unlink(missing_ok=True)
