"""Models on disk: where a card's model lies, which files of it are loaded, which layers it has, and
single layers of it."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from regrowth.files import hub, tensors
from regrowth.models import LAYERS
from regrowth.models.card import ModelCard

#: Where the weights lie, and what stands before their names.
COMPONENTS = {"unet": "", "text_encoder": "text_encoder."}
#: What diffusers and transformers look for in a folder, first found first taken (diffusers 0.42,
#: modeling_utils.from_pretrained; transformers 5, modeling_utils._get_resolved_checkpoint_files).
DIFFUSERS = (
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.bin",
)
TRANSFORMERS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
#: The parts of a pipeline that have weights.
PARTS = {"unet": DIFFUSERS, "vae": DIFFUSERS, "text_encoder": TRANSFORMERS}


#: A tensor's file, dtype and shape.
Stored = tuple[Path, str, tuple[int, ...]]


@dataclass(frozen=True)
class Layer:
    """A weight matrix, or any other tensor: its name (as the loaded UNet has it; others with their
    component before it), its shape ((out, in) of a matrix), the file that holds it, its name there,
    and the bytes of a weight as it is read."""

    name: str
    shape: tuple[int, ...]
    file: Path
    stored: str
    itemsize: int


def locate(card: ModelCard, root: Path) -> Path:
    """The card's model directory: a local path, or a hub id that is already in the hub's cache.

    Raises FileNotFoundError that says what to download and how.
    """
    try:
        return hub.directory(card.path, card.revision, "model_index.json", root)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"model {card.name!r}: {error}") from None


def variant(folder: Path, part: str) -> str | None:
    """What stands in the names of the weights that are loaded of a pipeline's part, such as "fp16".

    None if every part can do without. Else what all those can be read by that cannot do without,
    and then this part, too, if it can. Raises ValueError if several names would do.
    """
    there = [named(folder / one, forms) for one, forms in PARTS.items()]
    lacking = [{*filter(None, found)} for found in there if found and None not in found]
    common = sorted(set.intersection(*lacking)) if lacking else []
    if len(common) > 1:
        raise ValueError(f"{folder} has weights of {' and '.join(common)}: keep those to be used")
    own = named(folder / part, PARTS[part])
    return next((name for name in common if name in own), None)


def files(folder: Path, part: str) -> list[Path]:
    """The weights of a pipeline's part, as diffusers would load them: a file, or index and shards.

    Raises FileNotFoundError or ValueError that names what is missing.
    """
    found = named(folder / part, PARTS[part])
    return whole(folder / part, found.get(variant(folder, part)), PARTS[part])


def weights(folder: Path, part: str = "text_encoder") -> list[Path]:
    """The same of a folder that is one model: what such a part of a pipeline is, no variant."""
    return whole(folder, named(folder, PARTS[part]).get(None), PARTS[part])


def loaded(folder: Path) -> list[Path]:
    """Every file that a pipeline, or one model of transformers', is made of: settings, tokenizer
    and weights. Whatever else lies there is not."""
    if not (folder / "model_index.json").is_file():
        return sorted({*_settings(folder), *weights(folder)})
    settings = [f for part in (*PARTS, "scheduler", "tokenizer") for f in _settings(folder / part)]
    held = (file for part in PARTS for file in files(folder, part))
    return sorted({folder / "model_index.json", *settings, *held})


def _settings(folder: Path) -> list[Path]:
    return [f for f in folder.glob("*") if f.suffix in (".json", ".txt")]


def named(folder: Path, forms: tuple[str, ...]) -> dict[str | None, Path]:
    """By variant (None: no name), the file that is taken for a folder's weights."""
    if forms is TRANSFORMERS and (folder / "config.json").is_file():
        if told := _json(folder / "config.json").get("transformers_weights"):
            return {None: folder / Path(str(told)).name}
    found: dict[str | None, Path] = {}
    there = sorted(f for f in folder.iterdir() if f.is_file()) if folder.is_dir() else []
    for stem, _, ending in (form.rpartition(".") for form in forms):
        pattern = re.compile(rf"{re.escape(stem)}(?:\.([^.]+))?\.{ending}")
        for file in there:
            told = pattern.fullmatch(file.name)
            if told and "-of-" not in (told[1] or ""):
                found.setdefault(told[1], file)
    return found


def whole(folder: Path, file: Path | None, forms: tuple[str, ...]) -> list[Path]:
    """A file of weights, or what an index says are its shards, after the index."""
    if file is None or not file.is_file():
        usual = [form for form in forms if not form.endswith(".json")]
        beside = [f.name for f in sorted(folder.glob("*")) if f.suffix not in (".json", ".txt")]
        raise FileNotFoundError(
            f"{folder} holds no {file.name if file else ' or '.join(usual)}"
            + (f"; it holds {', '.join(beside[:4])}" if beside else "")
        )
    if file.suffix != ".json":
        return [file]
    placed = _json(file).get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise ValueError(f"{file} says of no weight where it is")
    shards = sorted({str(name) for name in placed.values()})
    if lacking := [name for name in shards if not (folder / Path(name).name).is_file()]:
        raise FileNotFoundError(f"{folder} holds no {', '.join(lacking)}, which {file.name} names")
    return [file, *(folder / Path(name).name for name in shards)]


def _json(file: Path) -> dict:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no JSON: {error}") from None
    if not isinstance(held, dict):
        raise ValueError(f"{file} is no mapping")
    return held


def stored(folder: Path) -> dict[str, Layer]:
    """Every weight of COMPONENTS, of whatever shape, by name. Raises as `files`."""
    out = {}
    for component in (part for part in COMPONENTS if (folder / part).is_dir()):
        for own, (file, kind, shape) in _held(files(folder, component)).items():
            if kind in tensors.READ_AS:  # indices beside them are no weights
                name = COMPONENTS[component] + own.removeprefix("text_model.")
                out[name] = Layer(name, shape, file, own, tensors.READ_AS[kind])
    return out


def _held(paths: list[Path]) -> dict[str, Stored]:
    """Stored name → (file, dtype, shape) of every tensor in these files."""
    return {
        name: (file, kind, shape)
        for file in paths
        if file.suffix != ".json"
        for name, (kind, shape) in tensors.headers(file).items()
    }


def matrices(folder: Path, component: str = "unet") -> dict[str, Layer]:
    """Every two-dimensional weight of a component, from the files' headers alone.

    Raises as `files` and `tensors.headers`.
    """
    out = {}
    for stored, (file, kind, shape) in _held(files(folder, component)).items():
        if len(shape) == 2 and stored.endswith(".weight"):
            name = COMPONENTS[component] + stored.removeprefix("text_model.")
            out[name] = Layer(name, shape, file, stored, tensors.READ_AS.get(kind, 0))
    return out


def attacked_layers(folder: Path, family: str) -> list[Layer]:
    """The layers under attack, in the model's own order (down, mid, up; or by number)."""
    own = LAYERS[family]
    every = matrices(folder, own.component).items()
    found = [layer for name, layer in every if re.search(own.pattern, name)]
    if not found:
        raise ValueError(
            f"no weight of {folder / own.component} matches the layer family {family!r}"
        )
    if odd := [layer for layer in found if not layer.itemsize]:
        raise ValueError(
            f"{odd[0].file}: {odd[0].name} is neither float32 nor float16 nor bfloat16"
        )
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
    held = (_held(files(folder, part)) for part in PARTS if (folder / part).is_dir())
    return sum(math.prod(shape) for part in held for _, _, shape in part.values())


def mistakes(folder: Path) -> list[str]:
    """Why no pipeline could be made of a directory, one line each; of weights, headers are read."""
    out: list[str] = []

    def settings(name: str) -> dict:
        try:
            return _json(folder / name)
        except FileNotFoundError:
            out.append(f"{folder} holds no {name}")
        except (OSError, ValueError) as error:
            out.append(str(error))
        return {}

    index = settings("model_index.json")
    if index and not isinstance(index.get("_class_name"), str):
        out.append(f"{folder / 'model_index.json'} names no pipeline (_class_name)")
    for part in (*PARTS, "scheduler", "tokenizer"):
        made = index.get(part, [])
        if index and not (isinstance(made, list) and made and made[0]):
            out.append(f"{folder / 'model_index.json'} names no {part}: no Stable Diffusion 1 or 2")
        elif index and made[0] not in ("diffusers", "transformers"):
            out.append(f"{folder / 'model_index.json'}: {part} is custom code, which is never run")
    settings("scheduler/scheduler_config.json")
    tokenizer = [f.name for f in (folder / "tokenizer").glob("*")]
    if "tokenizer.json" not in tokenizer and not {"vocab.json", "merges.txt"} <= set(tokenizer):
        out.append(
            f"{folder / 'tokenizer'} holds neither tokenizer.json nor vocab.json, merges.txt"
        )
    unet, vae, text = (settings(f"{part}/config.json") for part in PARTS)
    text = text.get("text_config", text)
    if unet.get("addition_embed_type"):
        out.append(f"{folder / 'unet'} is SDXL's: Stable Diffusion 1 or 2 is wanted")
    for mine, theirs in (
        ("in_channels", vae.get("latent_channels")),
        ("cross_attention_dim", text.get("hidden_size")),
    ):
        if unet.get(mine) and theirs and unet[mine] != theirs:
            out.append(
                f"{folder / 'unet'}: {mine} is {unet[mine]}, and {theirs} would fit the others"
            )
    for part in PARTS:
        try:
            paths = files(folder, part)
            held = _held(paths)
            placed = _json(paths[0])["weight_map"] if paths[0].suffix == ".json" else {}
            if lost := [name for name in placed if name not in held]:
                out.append(f"{paths[0]}: {lost[0]} is not in {placed[lost[0]]}")
        except (OSError, ValueError) as error:
            out.append(str(error))
    return list(dict.fromkeys(out))


def constant(layers: list[Layer]) -> list[str]:
    """The layers whose weights, zeros aside, are all the same: they have no spread to fill with."""
    return [name for name, weights in each_weight(layers) if is_constant(weights)]


def infinite(layers: list[Layer]) -> list[str]:
    """The layers with a weight that is infinite or not a number."""
    return [name for name, weights in each_weight(layers) if not np.isfinite(weights).all()]


def is_constant(weights: np.ndarray) -> bool:
    """Whether what is not zero is all the same, or nothing is left."""
    left = weights[weights != 0]
    return not len(left) or bool(left.min() == left.max())


def read_weights(layers: list[Layer]) -> dict[str, np.ndarray]:
    """The named weights alone, in the dtype they are stored in; bfloat16 as float32."""
    out = {}
    for file in dict.fromkeys(layer.file for layer in layers):
        here = [layer for layer in layers if layer.file == file]
        held = tensors.read(file, (layer.stored for layer in here))
        out.update({layer.name: held[layer.stored] for layer in here})
    return out


def each_weight(layers: Iterable[Layer]) -> Iterator[tuple[str, np.ndarray]]:
    """As `read_weights`, one by one, for what need not hold a whole model: a file is opened once,
    since to read its header takes longer than to read a weight."""
    opened: dict[Path, tensors.Held] = {}
    for layer in layers:
        if layer.file not in opened:
            opened[layer.file] = tensors.Held(layer.file)
        yield layer.name, opened[layer.file].read(layer.stored)
