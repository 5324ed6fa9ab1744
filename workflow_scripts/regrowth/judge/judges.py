"""Judges: each scores a list of pictures and returns raw scores; thresholds come later."""

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from regrowth.files import hub
from regrowth.files import images as images_of
from regrowth.judge import inception
from regrowth.models import torchvision_weights
from regrowth.study import prompt_tables, references
from regrowth.study.catalogue import Catalogue, Judge, Source
from regrowth.study.labels import outputs
from regrowth.study.prompts import source_of

log = logging.getLogger(__name__)
Rows = list[dict]
BATCH = 64
IN_MEMORY = 256
OFFLINE = {"local_files_only": True, "trust_remote_code": False}


def score(judge: Judge, root: Path, images: list[Image.Image], rows: Rows, device: str) -> Rows:
    """One dict per image (NudeNet: per detection): index, label, score, and features or None.

    What label and score mean: classifier: the top class and its probability; detector: its label
    and that label's probability; clip: the cosine similarity to the row's prompt; nudenet: each
    detected class and its confidence, or one row without a label; features: no score, but the
    network's pooled features. rows: prompt and class of each image. Raises ValueError where a
    score is not finite: nothing is recognised in such a picture, and nothing is not.
    """
    return _KINDS[judge.kind](judge, root, images, rows, device)


def _load(auto: str, judge: Judge, root: Path, device: str):
    if torchvision_weights.is_file(judge.model):
        return _loaded(auto, root / judge.model, device)
    return _loaded(auto, hub.directory(judge.model, judge.revision, "config.json", root), device)


@lru_cache
def _loaded(auto: str, folder: Path, device: str):
    """(model, its image processor) of a directory, or of a file of torchvision's weights.

    Pillow prepares the pictures, whether torchvision is installed or not.
    """
    if folder.is_file():
        model, process = torchvision_weights.resnet(folder)
        return model.to(device), process
    import transformers

    transformers.logging.set_verbosity_error()
    model = getattr(transformers, auto).from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, **OFFLINE
    )
    process = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", **OFFLINE)
    return model.to(device).eval(), process


@lru_cache
def _tokenizer(folder: str):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, **OFFLINE)


def _batches(images):
    return (images[i : i + BATCH] for i in range(0, len(images), BATCH))


@torch.no_grad()
def _probabilities(judge, root, images, device):
    model, process = _load("AutoModelForImageClassification", judge, root, device)
    pixels = (process(batch, return_tensors="pt").to(device) for batch in _batches(images))
    out = torch.cat([model(**p).logits.softmax(-1) for p in pixels])
    return out.cpu().numpy(), outputs(judge, root)


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
    model, process = _load("CLIPModel", judge, root, device)
    tokenize = _tokenizer(model.name_or_path)
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
    """Pooled features, float32 (n, width): what FID compares. A classifier's make FID-<net>, those
    of torch-fidelity's Inception make FID itself."""
    if judge.kind == "inception":
        return _inception(judge, root, images, device)
    model, process = _load("AutoModelForImageClassification", judge, root, device)
    pixels = (process(batch, return_tensors="pt").to(device) for batch in _batches(images))
    pooled = [model.base_model(**p).pooler_output.flatten(1) for p in pixels]
    return torch.cat(pooled).cpu().numpy()


def reference(
    judge: Judge,
    root: Path,
    named: str,
    device: str,
    captions: Source | None = None,
    drawn: Callable[[str], list[Image.Image]] | None = None,
) -> dict[str, np.ndarray]:
    """What FID compares with: mean (width,), covariance (width, width) and n of the features.

    named: a folder of pictures (without those whose captions are left out), an .npz with mu and
    sigma (n is then 0), or "demo world", whose pictures `drawn` makes. Raises ValueError where it
    cannot be compared with.
    """
    at, found = root / named, []
    if drawn and named == references.DEMO:
        found = [features(judge, root, drawn(named), device)]
    elif at.is_file():
        width = features(judge, root, [Image.new("RGB", (64, 64))], device).shape[1]
        if told := references.mistakes(named, root, width=width):
            raise ValueError(told[0])
        return references.moments(at)
    else:
        if told := references.mistakes(named, root, captions):
            raise ValueError(told[0])
        files, out = references.pictures(named, root, captions)
        log.info("%d pictures; %d left out for words for young people", len(files), len(out))
        if captions and captions.file and prompt_tables.left_out(captions, root) is None:
            log.warning(
                "%s names no pictures, so that none is left out as its caption is: name the column "
                "with theirs in the catalogue (columns: image)",
                captions.file,
            )
        for first in range(0, len(files), IN_MEMORY):
            some = [images_of.read(f) for f in files[first : first + IN_MEMORY]]
            found.append(features(judge, root, some, device))
            log.info("%d of %d pictures", first + len(some), len(files))
    every = np.concatenate(found).astype(np.float64)
    if not np.isfinite(every).all():
        raise ValueError("features that are no finite numbers: are the judge's weights whole?")
    return {"mean": every.mean(0), "covariance": np.cov(every.T), "n": np.array(len(every))}


def _inception(judge, root, images, device) -> np.ndarray:
    """Pictures of one size at a time: the network stretches each to its own."""
    net = _inception_net(root / judge.model, device)
    out = np.empty((len(images), 2048), np.float32)
    for size in dict.fromkeys(image.size for image in images):
        alike = [i for i, image in enumerate(images) if image.size == size]
        for at in _batches(alike):
            pixels = torch.stack([torch.from_numpy(np.array(images[i])) for i in at])
            out[at] = net(pixels.permute(0, 3, 1, 2).to(device)).cpu().numpy()
    return out


@lru_cache
def _inception_net(weights: Path, device: str):
    return inception.network(weights).to(device)


def _row(index, label, value, vector=None) -> dict:
    if not np.isfinite(0 if vector is None else vector).all() or not np.isfinite(value or 0):
        raise ValueError(
            f"picture {index} has a score that is no finite number: are the judge's weights whole?"
        )
    value = None if value is None else round(float(value), 6)
    vector = None if vector is None else np.round(vector, 5).astype(np.float32)
    return {"index": index, "label": label, "score": value, "features": vector}


_KINDS = {
    "classifier": _classifier,
    "detector": _detector,
    "clip": _clip,
    "nudenet": _nudenet,
    "features": _features,
    "inception": _features,
}


def score_shards(shards, catalogue: Catalogue, name: str, root: Path, device: str):
    """One judge on every picture of `shards` (frames with an `image` column) that it is to see.

    Returns a frame: prompt_set, class, prompt, seed, label, score, features.
    """
    import pandas as pd

    frames, judge = [], catalogue.judges[name]
    for shard in shards:
        mine = [name in source_of(catalogue, s).judges for s in shard["prompt_set"]]
        shard = shard[mine]
        for at in range(0, len(shard), IN_MEMORY):
            some = shard.iloc[at : at + IN_MEMORY].reset_index(drop=True)
            about = some[["prompt_set", "class", "prompt", "seed"]]
            images = [images_of.decode(cell) for cell in some["image"]]
            scored = pd.DataFrame(score(judge, root, images, about.to_dict("records"), device))
            log.info("%s: %d pictures", name, len(images))
            told = about.iloc[scored["index"]].reset_index(drop=True)
            frames.append(told.join(scored.drop(columns="index")))
    return pd.concat(frames, ignore_index=True)
