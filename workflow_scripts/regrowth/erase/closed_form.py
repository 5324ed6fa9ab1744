"""Erasers that need no training: cross-attention keys and values, solved for.

UCE (Unified Concept Editing) sends a concept's word where another goes and holds others where they
are, each matrix by one ridge regression. RECE then finds the embedding that still brings the old
values back, edits it away too, and so on.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from regrowth.settings import Count, Number, Positive, Strict

Weights = Mapping[str, np.ndarray]
#: The matrices that read a prompt.
READERS = re.compile(r"\.attn2\.to_[kv]\.weight$")
Scale = Annotated[float, Number, Field(ge=0, allow_inf_nan=False)]


class Uce(Strict):
    """Unified Concept Editing; λ and scales as in its code."""

    guide: str = Field("", description="what the concept's word is sent to; empty: no prompt")
    ridge: Positive = Field(0.5, description="λ: how strongly a matrix is held where it is")
    erase: Positive = Field(1.0, description="the weight of the concept")
    preserve: Scale = Field(1.0, description="the weight of every other class of its family")

    def of(self, kind: str) -> dict[str, Any]:
        """The settings that a concept of this kind is erased with."""
        return self.model_dump()


class Rece(Uce):
    """UCE, and then rounds that each erase what still means the concept."""

    rounds: Count = 2
    derived_ridge: Positive = Field(0.1, description="λ of the embedding that is looked for")
    derived: Positive = Field(0.1, description="the weight of that embedding")


def words(pipe, texts: list[str]) -> np.ndarray:
    """Each text's last word as the UNet reads it, float64 (n, width): the embedding at its last
    token; of no text at the start of the prompt."""
    if not texts:
        return np.zeros((0, pipe.unet.config.cross_attention_dim))
    said = pipe.encode_prompt(texts, pipe.device, 1, False)[0].detach().double().cpu().numpy()
    ends = [len(pipe.tokenizer(text, truncation=True).input_ids) - 2 for text in texts]
    return said[np.arange(len(texts)), ends]


def uce(
    pipe, weights: Weights, about: Mapping[str, Any], settings: Mapping[str, Any], *training: Any
) -> Weights:
    """Every key and value matrix of the cross-attentions, float32 (out, in), by name.

    weights: the UNet's. about: the concept's name, and those of the others that are preserved.
    """
    read = {name: w.astype(np.float64) for name, w in weights.items() if READERS.search(name)}
    concept, guide = words(pipe, [about["name"]]), words(pipe, [settings["guide"]])
    others = words(pipe, about["others"])
    scales = settings["ridge"], settings["erase"], settings["preserve"]
    return _single(edited(read, concept, targets(read, guide), others, *scales))


def rece(
    pipe, weights: Weights, about: Mapping[str, Any], settings: Mapping[str, Any], *training: Any
) -> Weights:
    """The same after `rounds` of erasing the embedding that comes nearest to the old values."""
    read = {name: w.astype(np.float64) for name, w in weights.items() if READERS.search(name)}
    concept, guide = words(pipe, [about["name"]]), words(pipe, [settings["guide"]])
    others = words(pipe, about["others"])
    wanted = targets(read, guide)
    new = edited(
        read, concept, wanted, others, settings["ridge"], settings["erase"], settings["preserve"]
    )
    for _ in range(settings["rounds"]):
        found = derived(read, new, concept[0], settings["derived_ridge"])[None]
        scales = settings["ridge"], settings["derived"], settings["derived"]
        new = edited(new, found, wanted, others, *scales)
    return _single(new)


def targets(weights: Weights, guide: np.ndarray) -> dict[str, np.ndarray]:
    """What each matrix is to say of the concept: what it says of the guide, (n, out)."""
    return {name: guide @ w.T for name, w in weights.items()}


def edited(
    weights: Weights,
    concept: np.ndarray,
    wanted: Weights,
    others: np.ndarray,
    ridge: float,
    erase: float,
    preserve: float,
) -> dict[str, np.ndarray]:
    """UCE: W of least erase·Σ|W c − v|² + preserve·Σ|W p − W₀ p|² + ridge·|W − W₀|².

    weights: W₀ by name, (out, in). concept: c, (n, in); wanted: v by name, (n, out); others: p,
    (m, in).
    """
    kept = preserve * others.T @ others + ridge * np.eye(concept.shape[1])
    gram = kept + erase * concept.T @ concept
    return {
        name: np.linalg.solve(gram, (w @ kept + erase * wanted[name].T @ concept).T).T
        for name, w in weights.items()
    }


def derived(before: Weights, after: Weights, concept: np.ndarray, ridge: float) -> np.ndarray:
    """RECE: the embedding c′ (in,) of least Σ|W c′ − W₀ c|² + ridge·|c′|² over all matrices.

    before, after: W₀ and W by name. With both at hand it is an attack on the edited model too.
    """
    gram = ridge * np.eye(len(concept)) + sum(w.T @ w for w in after.values())
    pull = sum(after[name].T @ (w @ concept) for name, w in before.items())
    return np.linalg.solve(gram, pull)


def _single(weights: Weights) -> dict[str, np.ndarray]:
    return {name: w.astype(np.float32) for name, w in weights.items()}
