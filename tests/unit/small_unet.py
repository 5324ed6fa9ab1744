"""A UNet that trains in a moment, for the tests of what trains one."""

import torch
from diffusers import UNet2DConditionModel


def small_unet() -> UNet2DConditionModel:
    """Random weights, the same each time; of the bundled model's latents and words."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=128,
        attention_head_dim=2,
        norm_num_groups=8,
    ).eval()
