"""CLIP: how much a picture is like its prompt."""

from functools import lru_cache
from pathlib import Path

from regrowth.judge import mistakes as wrong
from regrowth.judge.settings import Judge
from regrowth.models import torchvision_weights


def score(judge: Judge, root: Path, images, rows, device: str):
    """The cosine similarity of each picture to its row's prompt."""
    import torch
    from regrowth.judge.networks import BATCH, load, row

    with torch.no_grad():
        model, process = load("CLIPModel", judge, root, device)
        tokenize = tokenizer(model.name_or_path)
        longest = model.config.text_config.max_position_embeddings
        out = []
        for at in range(0, len(images), BATCH):
            some = slice(at, at + BATCH)
            words = [r["prompt"] for r in rows[some]]
            text = tokenize(
                words, padding=True, truncation=True, max_length=longest, return_tensors="pt"
            )
            pixels = process(images[some], return_tensors="pt")
            answer = model(**text.to(device), **pixels.to(device))
            out += (answer.image_embeds * answer.text_embeds).sum(-1).tolist()
        return [row(i, None, s) for i, s in enumerate(out)]


@lru_cache
def tokenizer(folder: str):
    from regrowth.judge.networks import OFFLINE
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, **OFFLINE)


def mistakes(judge: Judge, root: Path) -> list[str]:
    if judge.model and torchvision_weights.is_file(judge.model):
        return [f"a judge of kind clip needs a directory or a hub id, not {judge.model}"]
    return wrong.of_labels(judge, root)[1] or wrong.of_weights(judge, root)
