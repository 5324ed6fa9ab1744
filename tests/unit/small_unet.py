"""A UNet that trains in a moment, for the tests of what trains one, and what it is taught."""

import shutil
from copy import copy, deepcopy
from functools import cache
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from regrowth.draw.pipeline import load_pipeline
from regrowth.learn.pictures import Pictures
from regrowth.models import vocabulary
from road import ROOT

MODEL = ROOT / "resources/demo/model"


def small_unet() -> UNet2DConditionModel:
    """Random weights, always the same; of the bundled model's words, its latents half as wide."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16,),
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        layers_per_block=1,
        cross_attention_dim=128,
        attention_head_dim=2,
        norm_num_groups=8,
    ).eval()


@cache
def _loaded():
    held = load_pipeline(MODEL, "float32", "cpu")
    held.unet = small_unet()
    return held


def copied(pipe):
    """The bundled pipeline, whichever its UNet, with parts of its own: to load them takes longer
    than what most tests do."""
    own = copy(pipe)
    for part in ("vae", "text_encoder", "unet", "scheduler"):
        setattr(own, part, deepcopy(getattr(pipe, part)))
    own.tokenizer = vocabulary.load(MODEL)  # a copy of one reads its own words otherwise
    return own


def small_pipe():
    """The bundled pipeline with that UNet; what is drawn without a seed is the same after it."""
    own = copied(_loaded())
    torch.manual_seed(0)
    return own


def small_model(folder: Path) -> Path:
    """The same on disk: the bundled model's directory, with that UNet in it."""
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("unet"))
    small_unet().save_pretrained(folder / "unet")
    return folder


def noise_of(prompts: list[str]) -> Pictures:
    """A lesson of noise, the same each time."""
    draws = torch.Generator().manual_seed(3)
    return Pictures(torch.randn(len(prompts), 4, 8, 8, generator=draws), prompts)
