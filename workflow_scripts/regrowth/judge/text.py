"""Text: how likely a picture shows one thing rather than others, as CLIP reads their names."""

from pathlib import Path

from regrowth.judge import clip
from regrowth.judge.settings import Judge


def score(judge: Judge, root: Path, images, rows, device: str):
    """The entry's label, and how likely it is beside the likeliest other, as CLIP's softmax has it:
    .5 and more where it is the likeliest of all."""
    import torch
    from regrowth.judge.networks import OFFLINE, batches, load, row
    from transformers import AutoTokenizer

    model, process = load("CLIPModel", judge, root, device)
    told = {"max_length": model.config.text_config.max_position_embeddings, "truncation": True}
    tokenize = AutoTokenizer.from_pretrained(model.name_or_path, **OFFLINE)
    words = tokenize([judge.label, *judge.others], padding=True, return_tensors="pt", **told)
    out = []
    with torch.no_grad():
        for some in batches(images):
            pixels = process(some, return_tensors="pt")
            odds = model(**words.to(device), **pixels.to(device)).logits_per_image
            out += (odds[:, 0] - odds[:, 1:].amax(1)).sigmoid().tolist()
    return [row(i, judge.label, p) for i, p in enumerate(out)]


def mistakes(judge: Judge, root: Path) -> list[str]:
    told = clip.mistakes(judge, root)
    if not told and not (judge.label and judge.others):
        told = ["a judge of kind text tells a label from others: both are wanted"]
    return told
