"""Train the demo's judges on the same pictures: two classifiers, a detector and a small CLIP."""

import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from regrowth.demo import world
from regrowth.demo.train import MAX_LENGTH, as_tensor, cosine, steps_of, token_ids
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
)

log = logging.getLogger(__name__)

#: judge: its labels, and which of them a picture has.
LABELS = {
    "objects": ([*world.OBJECTS, "nothing"], lambda p: p.object or "nothing"),
    "styles": ([*world.STYLES, "no style"], lambda p: p.style or "no style"),
    "snow": (["clear", "snow"], lambda p: "snow" if p.snow else "clear"),
}


def truth(judge: str, contents: list[world.Picture]) -> torch.Tensor:
    labels, of = LABELS[judge]
    return torch.tensor([labels.index(of(p)) for p in contents])


def blurred_out(x: torch.Tensor, cell: int = 8) -> torch.Tensor:
    """Pictures (n, 3, h, w) of which only the mean colour of each cell is left, smoothly."""
    return F.interpolate(F.avg_pool2d(x, cell), scale_factor=cell, mode="bilinear")


def new_resnet(labels: list[str]) -> ResNetForImageClassification:
    return ResNetForImageClassification(
        ResNetConfig(
            embedding_size=32,
            hidden_sizes=[32, 64, 128, 128],
            depths=[1, 2, 2, 1],
            layer_type="basic",
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={name: i for i, name in enumerate(labels)},
        )
    )


def train_resnet(
    judge: str, images: np.ndarray, contents, n_steps: int, seed: int, batch: int = 64
) -> ResNetForImageClassification:
    """Train one judge on `images` (n, 64, 64, 3); `contents` says what is on them."""
    torch.manual_seed(seed)
    net = new_resnet(LABELS[judge][0]).train()
    target = truth(judge, contents)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02, fused=True)
    schedule = cosine(optimizer, n_steps)
    for step, rows, rng in steps_of(n_steps, len(images), batch, seed, judge):
        x = as_tensor(images[rows.numpy()])
        x = x.roll(torch.randint(-4, 5, (2,), generator=rng).tolist(), (2, 3))
        if judge != "styles":  # colour must not decide
            gain = 0.7 + 0.6 * torch.rand(len(x), 3, 1, 1, generator=rng)
            x = (x * gain).clamp(-1, 1)
        goal = target[rows].clone()
        if judge == "objects":  # nor may what is left of an object in a blur
            gone = torch.rand(len(x), generator=rng) < 1 / 8
            x[gone] = blurred_out(x[gone])
            goal[gone] = LABELS[judge][0].index("nothing")
        loss = F.cross_entropy(net(x).logits, goal, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            log.info("%s: loss %.3f", judge, loss.item())
    return net.eval()


@torch.no_grad()
def accuracy(net, judge: str, images: np.ndarray, contents) -> float:
    rows = (as_tensor(images[i : i + 256]) for i in range(0, len(images), 256))
    guess = torch.cat([net(x).logits.argmax(-1) for x in rows])
    return float((guess == truth(judge, contents)).float().mean())


def save_resnet(net: ResNetForImageClassification, target: Path) -> None:
    net.half().save_pretrained(target)
    ConvNextImageProcessor(
        size={"shortest_edge": world.SIZE},
        crop_pct=1.0,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    ).save_pretrained(target)


def new_clip(tokenizer) -> CLIPModel:
    tower = dict(hidden_size=128, intermediate_size=256, num_attention_heads=4, projection_dim=64)
    special = dict(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    text = (
        tower
        | special
        | dict(vocab_size=len(tokenizer), max_position_embeddings=MAX_LENGTH, num_hidden_layers=2)
    )
    vision = tower | dict(image_size=world.SIZE, patch_size=8, num_hidden_layers=3)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=64))


def train_clip(images, captions, tokenizer, n_steps: int, seed: int, batch: int = 64) -> CLIPModel:
    torch.manual_seed(seed)
    clip = new_clip(tokenizer).train()
    ids = token_ids(tokenizer, captions)
    optimizer = torch.optim.AdamW(clip.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
    schedule = cosine(optimizer, n_steps)
    for step, rows, _ in steps_of(n_steps, len(images), batch, seed, "clip"):
        answer = clip(input_ids=ids[rows], pixel_values=as_tensor(images[rows.numpy()]))
        same = (ids[rows][:, None] == ids[rows][None]).all(-1).float()  # equal captions are no foes
        goal = same / same.sum(1, keepdim=True)
        logits = answer.logits_per_text
        loss = F.cross_entropy(logits, goal) + F.cross_entropy(logits.T, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            log.info("clip: loss %.3f", loss.item())
    return clip.eval()


def save_clip(clip: CLIPModel, tokenizer, target: Path) -> None:
    clip.half().save_pretrained(target)
    process = CLIPImageProcessor(
        size={"shortest_edge": world.SIZE},
        crop_size=world.SIZE,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    CLIPProcessor(process, tokenizer).save_pretrained(target)


def train_all(
    target: Path,
    renders: np.ndarray,
    reconstructions: np.ndarray,
    captions: list[str],
    contents: list[world.Picture],
    tokenizer,
    steps: dict[str, int],
    seed: int,
) -> None:
    """Train and write every judge, on renders and autoencoder reconstructions in equal parts.

    steps: by judge, those of LABELS and "clip".
    """
    images = np.concatenate([renders, reconstructions])
    for judge in LABELS:
        net = train_resnet(judge, images, [*contents, *contents], steps[judge], seed)
        save_resnet(net, target / judge)
    clip = train_clip(images, [*captions, *captions], tokenizer, steps["clip"], seed)
    save_clip(clip, tokenizer, target / "clip")
