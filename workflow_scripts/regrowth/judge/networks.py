"""What judges share: a network with its image processor, batches, rows of scores."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from regrowth.files import hub
from regrowth.judge.labels import outputs
from regrowth.judge.settings import Judge
from regrowth.models import torchvision_weights

Rows = list[dict]
BATCH = 64
OFFLINE = {"local_files_only": True, "trust_remote_code": False}


def load(auto: str, judge: Judge, root: Path, device: str):
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


def batches(images):
    return (images[i : i + BATCH] for i in range(0, len(images), BATCH))


@torch.no_grad()
def probabilities(judge, root, images, device):
    model, process = load("AutoModelForImageClassification", judge, root, device)
    pixels = (process(batch, return_tensors="pt").to(device) for batch in batches(images))
    out = torch.cat([model(**p).logits.softmax(-1) for p in pixels])
    return out.cpu().numpy(), outputs(judge, root)


def row(index, label, value, vector=None) -> dict:
    if not np.isfinite(0 if vector is None else vector).all() or not np.isfinite(value or 0):
        raise ValueError(
            f"picture {index} has a score that is no finite number: are the judge's weights whole?"
        )
    value = None if value is None else round(float(value), 6)
    vector = None if vector is None else np.round(vector, 5).astype(np.float32)
    return {"index": index, "label": label, "score": value, "features": vector}
