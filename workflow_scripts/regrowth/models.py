"""Models on disk: where a card's model lies, which layers it has, and single layers of it."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from regrowth.config import ModelCard
from safetensors import safe_open

#: Layer families that can be attacked: pattern of the UNet's weight names.
FAMILIES = {"ffn2": r"\.ff\.net\.2\.weight$"}


@dataclass(frozen=True)
class Layer:
    name: str
    shape: tuple[int, ...]
    file: Path


def locate(card: ModelCard, root: Path) -> Path:
    """The card's model directory: a local path, or a hub id that is already in the hub's cache.

    Raises FileNotFoundError that says what to download and how.
    """
    local = root / card.path
    if (local / "model_index.json").is_file():
        return local
    if local.is_dir() or card.path.startswith((".", "/")) or card.path.count("/") != 1:
        raise FileNotFoundError(
            f"model {card.name!r}: {local} is not a pipeline directory (it has no model_index.json)"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(card.path, revision=card.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        revision = f" --revision {card.revision}" if card.revision else ""
        raise FileNotFoundError(
            f"model {card.name!r}: {card.path} is neither a directory nor in the hub's cache; "
            f"download it first: hf download {card.path}{revision}"
        ) from None


def unet_weights(folder: Path) -> dict[str, Layer]:
    """Every two-dimensional weight of the UNet, from the files' headers alone."""
    files = sorted((folder / "unet").glob("*.safetensors"))
    whole = [f for f in files if ".fp16" not in f.name and ".non_ema" not in f.name] or files
    if not whole:
        raise FileNotFoundError(f"{folder / 'unet'} holds no .safetensors file")
    out = {}
    for file in whole:
        with safe_open(file, framework="numpy") as f:
            for name in f.keys():
                shape = tuple(f.get_slice(name).get_shape())
                if len(shape) == 2 and name.endswith(".weight"):
                    out[name] = Layer(name, shape, file)
    return out


def attacked_layers(folder: Path, family: str) -> list[Layer]:
    """The layers under attack, in the UNet's own order (down, mid, up)."""
    pattern = FAMILIES[family]
    found = [w for name, w in unet_weights(folder).items() if re.search(pattern, name)]
    if not found:
        raise ValueError(f"no weight of {folder / 'unet'} matches the layer family {family!r}")
    place = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}

    def order(layer: Layer):
        numbers = [int(n) for n in re.findall(r"\.(\d+)(?=\.)", layer.name)]
        return place.get(layer.name.split(".")[0], 3), numbers

    return sorted(found, key=order)


def parts(layers: list[Layer], per_job: int) -> dict[str, list[Layer]]:
    """The layers of each job: part "00", "01", …"""
    chunks = range(0, len(layers), per_job)
    return {f"{i:02d}": layers[at : at + per_job] for i, at in enumerate(chunks)}


def read_weights(layers: list[Layer]) -> dict[str, np.ndarray]:
    """The named weights alone, in the dtype they are stored in."""
    out = {}
    for file in dict.fromkeys(layer.file for layer in layers):
        with safe_open(file, framework="numpy") as f:
            out |= {w.name: f.get_tensor(w.name) for w in layers if w.file == file}
    return out
