"""Random-weight stand-ins of SD-v1.5, ResNet-50 and CLIP ViT-B/32, for where no weights can be had.

They have the classes, shapes and files of the real ones, and the bundled model's tokenizer, so a
study of the real size can be rehearsed; what they draw and say means nothing. ``python -m
regrowth.rehearsal TARGET`` writes all three. `tiny` ones are narrower, shallower and coarser.
"""

import argparse
import csv
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from regrowth.demo.train import scheduler
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
)

log = logging.getLogger(__name__)
RESOURCES = Path(__file__).resolve().parents[3] / "resources"


def new_unet(tiny: bool = False) -> UNet2DConditionModel:
    if not tiny:
        return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32, 64, 64),
        cross_attention_dim=64,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def new_vae(tiny: bool = False) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16, 32, 32) if tiny else (128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1 if tiny else 2,
        norm_num_groups=4 if tiny else 32,
        sample_size=128 if tiny else 512,
        scaling_factor=0.18215,
    )


def new_text_encoder(tokenizer: CLIPTokenizer, tiny: bool = False) -> CLIPTextModel:
    width, layers = (64, 2) if tiny else (768, 12)
    return CLIPTextModel(CLIPTextConfig(**_text_tower(tokenizer, width, layers)))


def new_resnet(labels: list[str], tiny: bool = False) -> ResNetForImageClassification:
    small = dict(embedding_size=16, hidden_sizes=[16, 32, 32, 64], depths=[1, 1, 1, 1])
    return ResNetForImageClassification(
        ResNetConfig(
            **(small if tiny else {}),
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={name: i for i, name in enumerate(labels)},
        )
    )


def new_clip(tokenizer: CLIPTokenizer, tiny: bool = False) -> CLIPModel:
    text, vision, layers = (64, 64, 2) if tiny else (512, 768, 12)
    side, patch = (32, 16) if tiny else (224, 32)
    vision_config = _tower(vision, layers) | dict(image_size=side, patch_size=patch)
    return CLIPModel(
        CLIPConfig(
            text_config=_text_tower(tokenizer, text, layers),
            vision_config=vision_config | dict(projection_dim=text),
            projection_dim=text,
        )
    )


def _tower(width: int, layers: int) -> dict:
    return dict(
        hidden_size=width,
        intermediate_size=4 * width,
        num_attention_heads=width // 64,
        num_hidden_layers=layers,
    )


def _text_tower(tokenizer: CLIPTokenizer, width: int, layers: int) -> dict:
    return _tower(width, layers) | dict(
        vocab_size=49408,
        projection_dim=width,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def demo_tokenizer() -> CLIPTokenizer:
    """The bundled model's tokenizer, for 77 tokens; its ids are below CLIP's 49408."""
    file = RESOURCES / "demo" / "model" / "tokenizer" / "tokenizer.json"
    model = json.loads(file.read_text(encoding="utf-8"))["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    return CLIPTokenizer(vocab=model["vocab"], merges=merges, model_max_length=77)


def imagenet_labels() -> list[str]:
    """A thousand labels: the catalogue's own where it has one, else "class 000" and so on."""
    labels = [f"class {i:03d}" for i in range(1000)]
    with open(RESOURCES / "imagenet.csv", newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            labels[int(row["index"])] = row["names"].split("|")[0]
    return labels


def draw(model: torch.nn.Module, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """A state for `model` (which may be on the meta device), half precision.

    Matrices and kernels are normal with variance 1 / fan-in, so that activations keep their size;
    biases and running means are zeros; the rest ones (norms) and, of integers, zeros.
    """
    state = {}
    for name, like in model.state_dict().items():
        dtype = torch.float16 if like.is_floating_point() else like.dtype
        if like.ndim > 1:
            value = torch.empty(like.shape).normal_(std=like[0].numel() ** -0.5, generator=rng)
        elif name.endswith(("bias", "running_mean")) or not like.is_floating_point():
            value = torch.zeros(like.shape)
        else:
            value = torch.ones(like.shape)
        state[name] = value.to(dtype)
    return state


def _write(model: torch.nn.Module, folder: Path, rng: torch.Generator) -> None:
    """Draw a meta model's weights, write it, and let the weights go again."""
    model.half().load_state_dict(draw(model, rng), assign=True)
    if isinstance(model, CLIPTextModel):  # the hub's files have the prefix that the class dropped
        state = {f"text_model.{name}": value for name, value in model.state_dict().items()}
        model.save_pretrained(folder, state_dict=state)
    else:
        model.save_pretrained(folder)
    model.to("meta")


def write_model(folder: Path, tiny: bool = False, seed: int = 0) -> None:
    """A directory that `StableDiffusionPipeline.from_pretrained` loads."""
    tokenizer, rng = demo_tokenizer(), torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        parts = dict(
            unet=new_unet(tiny),
            vae=new_vae(tiny),
            text_encoder=new_text_encoder(tokenizer, tiny),
        )
    for name, model in parts.items():
        _write(model, folder / name, rng)
    rest = dict(tokenizer=tokenizer, scheduler=scheduler())
    for name, part in rest.items():
        part.save_pretrained(folder / name)
    StableDiffusionPipeline(
        **parts,
        **rest,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_config(folder)


def write_resnet(folder: Path, labels: list[str], tiny: bool = False, seed: int = 0) -> None:
    """A directory that transformers' AutoModelForImageClassification and its processor load."""
    with torch.device("meta"):
        net = new_resnet(labels, tiny)
    _write(net, folder, torch.Generator().manual_seed(seed))
    ConvNextImageProcessor(
        size={"shortest_edge": 32 if tiny else 224},
        crop_pct=0.875,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)


def write_clip(folder: Path, tiny: bool = False, seed: int = 0) -> None:
    """A directory that transformers' CLIPModel and AutoProcessor load."""
    tokenizer = demo_tokenizer()
    with torch.device("meta"):
        clip = new_clip(tokenizer, tiny)
    _write(clip, folder, torch.Generator().manual_seed(seed))
    side = clip.config.vision_config.image_size
    process = CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side)
    CLIPProcessor(process, tokenizer).save_pretrained(folder)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; rename it there only if nothing was raised."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a killed run
    part.mkdir(parents=True)
    try:
        yield part
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_all(target: Path, tiny: bool = False, seed: int = 0) -> None:
    """TARGET/model, TARGET/judges/resnet50 and TARGET/judges/clip; what is there is kept."""
    labels = imagenet_labels()
    writers = {
        "model": lambda folder: write_model(folder, tiny, seed),
        "judges/resnet50": lambda folder: write_resnet(folder, labels, tiny, seed),
        "judges/clip": lambda folder: write_clip(folder, tiny, seed),
    }
    for name, write in writers.items():
        if (target / name).exists():
            log.info("%s is there already", target / name)
            continue
        with _whole(target / name) as part:
            write(part)
        log.info("%s written", target / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Random-weight stand-ins of the real models.")
    parser.add_argument("target", type=Path)
    parser.add_argument("--tiny", action="store_true", help="the same classes, small")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write_all(arguments.target, arguments.tiny, arguments.seed)
