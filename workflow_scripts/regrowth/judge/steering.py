"""Judges that a sampler can be steered by: their scores of pictures, with gradients."""

from collections.abc import Callable
from pathlib import Path

import torch
from regrowth.judge.clip import tokenizer
from regrowth.judge.labels import outputs
from regrowth.judge.networks import load
from regrowth.judge.settings import Judge
from torch.nn.functional import interpolate


def likely(
    judge: Judge, root: Path, concept: str, device: str
) -> Callable[[torch.Tensor], torch.Tensor]:
    """How likely it finds the concept in pictures, as a logarithm: (n, 3, height, width) in [0, 1]
    → (n,); of CLIP its logit for the name. judge: of a kind of `STEERING`."""
    auto = {"classifier": "AutoModelForImageClassification", "clip": "CLIPModel"}[judge.kind]
    model, process = load(auto, judge, root, device)
    model.requires_grad_(False)
    size = dict(process.crop_size if getattr(process, "do_center_crop", False) else process.size)
    sides = (size["height"], size["width"]) if "height" in size else (size["shortest_edge"],) * 2
    mean, std = (
        torch.tensor(told, device=device)[:, None, None]
        for told in (process.image_mean, process.image_std)
    )

    def pixels(pictures: torch.Tensor) -> torch.Tensor:
        fitting = interpolate(pictures.float(), sides, mode="bilinear", antialias=True)
        return (fitting - mean) / std

    if judge.kind == "classifier":
        number = {name: i for i, name in outputs(judge, root).items()}[concept]
        return lambda shown: model(pixels(shown)).logits.log_softmax(-1)[:, number]
    words = tokenizer(model.name_or_path)([concept], return_tensors="pt").to(device)
    return lambda shown: model(**words, pixel_values=pixels(shown)).logits_per_image[:, 0]
