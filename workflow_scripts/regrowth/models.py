"""Models on disk: where a card's model lies, which layers it has, and single layers of it."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from regrowth import hub
from regrowth.catalogue import ModelCard
from safetensors import safe_open

#: Layer families that can be attacked: pattern of the weights' names.
FAMILIES = {
    "ffn2": r"\.ff\.net\.2\.weight$",
    "ffn1": r"\.ff\.net\.0\.proj\.weight$",
    "attn2.to_k": r"\.attn2\.to_k\.weight$",
    "attn2.to_v": r"\.attn2\.to_v\.weight$",
    "text_encoder.fc2": r"^text_encoder\..*\.mlp\.fc2\.weight$",
}
#: Where the weights lie, and what stands before their names.
COMPONENTS = {"unet": "", "text_encoder": "text_encoder."}


@dataclass(frozen=True)
class Layer:
    """A weight matrix: its name (as the loaded UNet has it; others with their component before it),
    its shape (out, in), the file that holds it and its name there."""

    name: str
    shape: tuple[int, ...]
    file: Path
    stored: str


def locate(card: ModelCard, root: Path) -> Path:
    """The card's model directory: a local path, or a hub id that is already in the hub's cache.

    Raises FileNotFoundError that says what to download and how.
    """
    try:
        return hub.directory(card.path, card.revision, "model_index.json", root)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"model {card.name!r}: {error}") from None


def matrices(folder: Path, component: str = "unet") -> dict[str, Layer]:
    """Every two-dimensional weight of a component, from the files' headers alone."""
    whole = _whole(folder / component)
    if not whole:
        raise FileNotFoundError(f"{folder / component} holds no .safetensors file")
    out = {}
    for file in whole:
        with safe_open(file, framework="numpy") as f:
            for stored in f.keys():
                shape = tuple(f.get_slice(stored).get_shape())
                if len(shape) == 2 and stored.endswith(".weight"):
                    name = COMPONENTS[component] + stored.removeprefix("text_model.")
                    out[name] = Layer(name, shape, file, stored)
    return out


def _whole(folder: Path) -> list[Path]:
    """The weights of a component as they were trained: no second copy in half precision."""
    files = sorted(folder.glob("*.safetensors"))
    return [f for f in files if ".fp16" not in f.name and ".non_ema" not in f.name] or files


def attacked_layers(folder: Path, family: str) -> list[Layer]:
    """The layers under attack, in the model's own order (down, mid, up; or by number)."""
    component = "text_encoder" if family.startswith("text_encoder") else "unet"
    pattern = FAMILIES[family]
    found = [w for name, w in matrices(folder, component).items() if re.search(pattern, name)]
    if not found:
        raise ValueError(f"no weight of {folder / component} matches the layer family {family!r}")
    place = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}

    def order(layer: Layer):
        numbers = [int(n) for n in re.findall(r"\.(\d+)(?=\.)", layer.name)]
        return place.get(layer.name.split(".")[0], 3), numbers

    return sorted(found, key=order)


def parts(layers: list[Layer], per_job: int) -> dict[str, list[Layer]]:
    """The layers of each job: part "00", "01", …"""
    chunks = range(0, len(layers), per_job)
    return {f"{i:02d}": layers[at : at + per_job] for i, at in enumerate(chunks)}


def parameters(folder: Path) -> int:
    """How many weights a pipeline of this directory loads, from the files' headers alone."""
    count = 0
    for file in (f for part in ("unet", "vae", "text_encoder") for f in _whole(folder / part)):
        with safe_open(file, framework="numpy") as f:
            count += sum(math.prod(f.get_slice(name).get_shape()) for name in f.keys())
    return count


def constant(layers: list[Layer]) -> list[str]:
    """The layers whose weights, zeros aside, are all the same: they have no spread to fill with."""
    return [layer.name for layer in layers if is_constant(read_weights([layer])[layer.name])]


def is_constant(weights: np.ndarray) -> bool:
    """Whether what is not zero is all the same, or nothing is left."""
    left = weights[weights != 0]
    return not len(left) or bool(left.min() == left.max())


def read_weights(layers: list[Layer]) -> dict[str, np.ndarray]:
    """The named weights alone, in the dtype they are stored in."""
    out = {}
    for file in dict.fromkeys(layer.file for layer in layers):
        with safe_open(file, framework="numpy") as f:
            out |= {w.name: f.get_tensor(w.stored) for w in layers if w.file == file}
    return out
