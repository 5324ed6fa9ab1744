"""Checkpoints that a user brings: which of the model's weights they have erased, or changed."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from regrowth.files import tensors
from regrowth.models import disk
from regrowth.models.disk import Layer
from regrowth.settings import Concept, Place

#: What a study says: of each concept the model as it was pruned elsewhere.
Given = Annotated[
    dict[Concept, Place],
    Field(
        description="for each concept, the model as it was pruned, or changed, elsewhere: a "
        "directory like the model's, or a file with the weights of its UNet (or text encoder)"
    ),
]
#: What the weights of a checkpoint may have been rounded to, whatever they are stored in.
ROUNDED = (
    lambda w: w,
    lambda w: w.astype(np.float16).astype(np.float32),
    tensors.bfloat16,
)


def masks(path: Path, layers: list[Layer], weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bool (out, in) for each layer: zero in the checkpoint, and not in the model.

    path: see `read`. weights: the model's, by layer. Either may be the other's in half precision
    or bfloat16, whatever it is stored in. Raises ValueError if the checkpoint is another model's,
    or has been changed otherwise: what was erased would be unknown then.
    """
    found = {}
    for name, given in read(path, layers).items():
        kept = same(given, weights[name])
        found[name] = ~kept & (given == 0)
        if stray := float(np.mean(~kept & (given != 0))):
            raise ValueError(
                f"{path}: of {name}, {stray:.2%} of the weights are neither the model's nor "
                f"zero: this is not the model of the study with weights pruned"
            )
    return found


def same(given: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Where a checkpoint's weights are the model's, bool, in the shape of both.

    Either may be the other's in half precision or bfloat16, whatever it is stored in: of ROUNDED
    the one counts that leaves the fewest others, zeros aside.
    """
    given, own = given.astype(np.float32), own.astype(np.float32)
    best, fewest = np.zeros(given.shape, bool), given.size + 1
    for rounded in ROUNDED:
        with np.errstate(over="ignore"):
            kept = (given == rounded(own)) | (rounded(given) == own)
        strays = int(np.count_nonzero(~kept & (given != 0)))
        if strays < fewest:
            best, fewest = kept, strays
        if not strays:
            break
    return best


def check(path: Path, layers: list[Layer], weights: dict[str, np.ndarray]) -> None:
    """Raises as `masks`, and ValueError if nothing was erased, or too much to be completed."""
    found = masks(path, layers, weights)
    if not any(mask.any() for mask in found.values()):
        raise ValueError(
            f"no weight of the layers under attack is zero in {path}, so what was erased is "
            f"unknown: neither signs nor a defence can be measured. `layers` says which layers are "
            f"under attack (here such as {layers[0].name})"
        )
    if bare := [name for name, mask in found.items() if disk.is_constant(weights[name][~mask])]:
        raise ValueError(
            f"of {', '.join(bare)} {path} has kept nothing, or one value alone: there is nothing "
            f"to complete it from, nor to take a fill from"
        )


def changed(path: Path, own: Mapping[str, Layer]) -> tuple[dict[str, np.ndarray], int]:
    """The tensors that a checkpoint has otherwise than the model, float32 by name, and how many of
    their weights are otherwise.

    path: see `read`; a pipeline's directory may have a text encoder. own: the model's, by name, as
    `disk.stored` tells. Raises as `fits`, and ValueError where nothing is changed, or a weight is
    no finite number.
    """
    out, count = {}, 0
    for where, before, layers in _named(path, own):
        opened = {file: tensors.Held(file) for file in set(where.values())}
        for layer, (_, was) in zip(layers, disk.each_weight(layers)):
            name = before + _bare(layer)
            given = opened[where[name]].read(name)
            _as_large(path, layer, given.shape)
            given = given.astype(np.float32)
            if not np.isfinite(given).all():
                raise ValueError(f"{path}: {layer.name} holds weights that are no numbers")
            if moved := np.count_nonzero(given != was.astype(np.float32)):
                out[layer.name], count = given, count + int(moved)
    if not out:
        raise ValueError(f"{path} is the model of the study as it is: nothing was changed")
    return out, count


def fits(path: Path, own: Mapping[str, Layer]) -> None:
    """Raises ValueError if a checkpoint lacks a weight of the model, or has one of another shape;
    and as `read`. own: see `changed`."""
    for where, before, layers in _named(path, own):
        lacking = [layer.name for layer in layers if before + _bare(layer) not in where]
        if lacking:
            told = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise ValueError(
                f"{path} holds no weight {lacking[0]}{told}: is it another architecture?"
            )
        # PyTorch's own may be nested: their shapes are seen when they are read.
        plain = {file for file in where.values() if file.suffix == ".safetensors"}
        held = {file: tensors.headers(file) for file in plain}
        for layer in layers:
            if (file := where[before + _bare(layer)]) in held:
                _as_large(path, layer, held[file][before + _bare(layer)][1])


def _as_large(path: Path, layer: Layer, found: tuple[int, ...]) -> None:
    if tuple(found) != tuple(layer.shape):
        sizes = ("×".join(map(str, size)) for size in (found, layer.shape))
        raise ValueError("{}: {} is {}, the model's {}".format(path, layer.name, *sizes))


def components(path: Path) -> list[str]:
    """What of a model a checkpoint that is released whole has: a UNet, and a text encoder where it
    is a pipeline's directory with one."""
    return ["unet", *(["text_encoder"] if (path / "text_encoder").is_dir() else [])]


def _named(
    path: Path, own: Mapping[str, Layer]
) -> Iterator[tuple[dict[str, Path], str, list[Layer]]]:
    """Of each component that a checkpoint has, the file of each tensor, what stands before its
    names, and the model's weights."""
    for part in components(path):
        layers = [layer for layer in own.values() if layer.file.parent.name == part]
        files_there = [file for file in paths(path, part) if file.suffix != ".json"]
        where = {name: file for file in files_there for name in tensors.names(file)}
        if layers:  # the longest name is no other's end
            yield where, _before(path, [max(layers, key=lambda of: len(of.name))], where), layers


def paths(path: Path, component: str) -> list[Path]:
    """The files that a checkpoint is read from: itself, or what diffusers would load of a
    directory: a pipeline's, or one of a UNet (or text encoder) alone.

    Raises FileNotFoundError or ValueError if a directory has no weights.
    """
    if not path.is_dir():
        return [path]
    folder = path / component if (path / component).is_dir() else path
    found = disk.named(folder, disk.PARTS[component])
    if not found:
        if others := sorted(folder.glob("*.safetensors")):
            return others
    elif folder == path and None not in found and len(found) == 1:
        return disk.whole(folder, next(iter(found.values())), disk.PARTS[component])
    return disk.files(path, component) if folder != path else disk.weights(path, component)


def read(path: Path, layers: list[Layer]) -> dict[str, np.ndarray]:
    """The layers' weights (out, in) as a checkpoint has them.

    path: see `paths`. A file holds the state of the component (UNet or text encoder) that the
    layers belong to: .safetensors, or PyTorch's, read as data and never unpickled. Something may
    stand before all names ("module.", "state_dict.unet."), tensors may be sparse or parameters, and
    pruned as torch.nn.utils.prune leaves them ("…_orig", "…_mask").
    Raises ValueError if it is no such file, or a layer is not there or has another shape, and
    OSError if a file cannot be opened or a directory has no weights.
    """
    component = layers[0].file.parent.name
    files_there = [file for file in paths(path, component) if file.suffix != ".json"]
    where = {name: file for file in files_there for name in tensors.names(file)}
    before, out = _before(path, layers, where), {}
    for layer in layers:
        name = before + _bare(layer)
        wanted = [name] if name in where else [f"{name}_orig", f"{name}_mask"]
        if lacking := [n for n in wanted if n not in where]:
            raise ValueError(f"{path} holds no weight {lacking[0].removesuffix('_orig')}")
        held = tensors.read(where[wanted[0]], wanted)
        weights = held[name] if name in held else held[wanted[0]] * held[wanted[1]]
        if weights.shape != layer.shape:
            found = "×".join(map(str, weights.shape))
            raise ValueError(
                f"{path}: {name} is {found}, the model's {layer.shape[0]}×{layer.shape[1]}"
            )
        out[layer.name] = weights
    return out


def _bare(layer: Layer) -> str:
    return layer.name.removeprefix("text_encoder.")


def _before(path: Path, layers: list[Layer], names: Collection[str]) -> str:
    """What stands before the layers' names in a checkpoint, such as "module."."""
    ends = (_bare(layers[0]), f"{_bare(layers[0])}_orig")
    pattern = re.compile(rf"(|.*\.)(?:{'|'.join(map(re.escape, ends))})")
    before = {found[1]: name for name in names if (found := pattern.fullmatch(name))}
    if not before:
        told = "; it has " + ", ".join(list(names)[:2]) if names else ""
        if any("model.diffusion_model." in name for name in names):
            told += ", as the first Stable Diffusion named them: save it with diffusers"
        raise ValueError(f"{path} holds no weight {layers[0].stored}{told}")
    if len(before) > 1 and "" not in before:
        several = " and ".join(list(before.values())[:2])
        raise ValueError(f"{path} holds both {several}: which is the pruned one is not told")
    return "" if "" in before else next(iter(before))
