"""Features: what FID and integrity compare, pooled from any classifier's network (FID-<net>)."""

from pathlib import Path

import numpy as np
from regrowth.judge import mistakes as wrong
from regrowth.judge.settings import Judge


def score(judge: Judge, root: Path, images, rows, device: str):
    """No score, but each picture's features."""
    from regrowth.judge.networks import row

    return [row(i, None, None, v) for i, v in enumerate(vectors(judge, root, images, device))]


def vectors(judge: Judge, root: Path, images, device: str) -> np.ndarray:
    """Pooled features, float32 (n, width)."""
    import torch
    from regrowth.judge.networks import batches, load

    model, process = load("AutoModelForImageClassification", judge, root, device)
    with torch.no_grad():
        pixels = (process(batch, return_tensors="pt").to(device) for batch in batches(images))
        pooled = [model.base_model(**p).pooler_output.flatten(1) for p in pixels]
    return torch.cat(pooled).cpu().numpy()


def mistakes(judge: Judge, root: Path) -> list[str]:
    return wrong.of_labels(judge, root)[1] or wrong.of_weights(judge, root)
