"""Judges: each scores a list of pictures and returns raw scores; thresholds come later."""

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from regrowth.config import Judge

log = logging.getLogger(__name__)
Rows = list[dict]
BATCH = 64


def score(judge: Judge, root: Path, images: list[Image.Image], rows: Rows, device: str) -> Rows:
    """One dict per image (NudeNet: per detection): index, label, score, and features or None.

    What label and score mean: classifier: the top class and its probability; detector: its label
    and that label's probability; clip: the cosine similarity to the row's prompt; nudenet: each
    detected class and its confidence, or one row without a label; features: no score, but the
    network's pooled features. rows: prompt and class of each image.
    """
    return _KINDS[judge.kind](judge, root, images, rows, device)


@lru_cache
def _load(auto: str, folder: Path, device: str):
    import transformers

    transformers.logging.set_verbosity_error()
    kwargs = {"local_files_only": True, "trust_remote_code": False}
    model = getattr(transformers, auto).from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, **kwargs
    )
    processor = "AutoProcessor" if auto == "CLIPModel" else "AutoImageProcessor"
    return model.to(device).eval(), getattr(transformers, processor).from_pretrained(
        folder, **kwargs
    )


def _batches(images):
    return (images[i : i + BATCH] for i in range(0, len(images), BATCH))


@torch.no_grad()
def _probabilities(judge, root, images, device):
    model, process = _load("AutoModelForImageClassification", root / judge.model, device)
    pixels = (process(batch, return_tensors="pt").to(device) for batch in _batches(images))
    out = torch.cat([model(**p).logits.softmax(-1) for p in pixels])
    return out.cpu().numpy(), model.config.id2label


def _classifier(judge, root, images, rows, device) -> Rows:
    p, labels = _probabilities(judge, root, images, device)
    best = p.argmax(1)
    return [_row(i, labels[int(b)], p[i, b]) for i, b in enumerate(best)]


def _detector(judge, root, images, rows, device) -> Rows:
    p, labels = _probabilities(judge, root, images, device)
    at = next(i for i, name in labels.items() if name == judge.label)
    return [_row(i, judge.label, p[i, at]) for i in range(len(images))]


@torch.no_grad()
def _clip(judge, root, images, rows, device) -> Rows:
    model, process = _load("CLIPModel", root / judge.model, device)
    out = []
    for at in range(0, len(images), BATCH):
        some = slice(at, at + BATCH)
        inputs = process(
            text=[r["prompt"] for r in rows[some]],
            images=images[some],
            return_tensors="pt",
            padding=True,
            truncation=True,
        ).to(device)
        answer = model(**inputs)
        out += (answer.image_embeds * answer.text_embeds).sum(-1).tolist()
    return [_row(i, None, s) for i, s in enumerate(out)]


def _nudenet(judge, root, images, rows, device) -> Rows:
    from nudenet import NudeDetector

    detector, out = NudeDetector(), []
    for i, image in enumerate(images):
        found = detector.detect(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))
        out += [_row(i, d["class"], d["score"]) for d in found] or [_row(i, None, None)]
    return out


def _features(judge, root, images, rows, device) -> Rows:
    vectors = features(judge, root, images, device)
    return [_row(i, None, None, v) for i, v in enumerate(vectors)]


@torch.no_grad()
def features(judge: Judge, root: Path, images: list[Image.Image], device: str) -> np.ndarray:
    """Pooled features of a classifier, float32 (n, width): what FID-<net> compares."""
    model, process = _load("AutoModelForImageClassification", root / judge.model, device)
    pixels = (process(batch, return_tensors="pt").to(device) for batch in _batches(images))
    pooled = [model.base_model(**p).pooler_output.flatten(1) for p in pixels]
    return torch.cat(pooled).cpu().numpy()


def _row(index, label, value, vector=None) -> dict:
    value = None if value is None else round(float(value), 6)
    vector = None if vector is None else [round(float(v), 5) for v in vector]
    return {"index": index, "label": label, "score": value, "features": vector}


_KINDS = {
    "classifier": _classifier,
    "detector": _detector,
    "clip": _clip,
    "nudenet": _nudenet,
    "features": _features,
}


def score_shard(shard, catalogue, root: Path, device: str):
    """Every judge of its family on every picture of a shard (a frame with an `image` column).

    Returns a frame: prompt_set, family, class, prompt, seed, judge, label, score, features.
    """
    import pandas as pd
    from regrowth.images import decode

    shard, frames = shard.reset_index(drop=True), []
    for family, part in shard.groupby("family", sort=False):
        images = [decode(cell) for cell in part["image"]]
        about = part[["prompt_set", "family", "class", "prompt", "seed"]]
        for name in catalogue.families[family].judges:
            rows = score(catalogue.judges[name], root, images, about.to_dict("records"), device)
            log.info("%s: %d pictures of %s", name, len(images), family)
            scored = pd.DataFrame(rows)
            told = about.iloc[scored["index"]].reset_index(drop=True)
            frames.append(told.assign(judge=name).join(scored.drop(columns="index")))
    out = pd.concat(frames, ignore_index=True)
    return out.astype({"label": "string", "score": "float64"})
