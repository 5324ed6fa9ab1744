"""A checkpoint as people have them, read tensor by tensor by the UNet's own names in diffusers, and
by its text encoder's where it has one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from regrowth.audit import layouts, pickles
from regrowth.erase import checkpoints
from regrowth.files.tensors import Held
from regrowth.models import disk

#: Most tensors that a message names.
TOLD = 3


@dataclass(frozen=True)
class Tensor:
    """shape; kind: what it is stored as, "F32"; value: float32, read when it is asked for."""

    shape: tuple[int, ...]
    kind: str
    value: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Checkpoint:
    """files: what it is read from. layout: "diffusers", "CompVis", "transformers" (a text encoder
    alone) or "LoRA". tensors: by name, as `models.disk` names them. notes: what a reader should
    know of how it was read."""

    path: Path
    files: list[Path]
    layout: str
    tensors: Mapping[str, Tensor]
    notes: list[str] = field(default_factory=list)

    def matrices(self) -> list[str]:
        """The names of weights with rows and columns; of a convolution a row is a filter."""
        return [n for n, t in self.tensors.items() if len(t.shape) > 1 and n.endswith(".weight")]

    def matrix(self, name: str) -> np.ndarray:
        """float32 (out, in)."""
        value = self.tensors[name].value()
        return value.reshape(len(value), -1)


def opened(path: Path, base: Checkpoint | None = None) -> Checkpoint:
    """A checkpoint: a directory of diffusers' (a pipeline, its UNet, or its text encoder), or a
    file of such weights or the whole model's, .safetensors or PyTorch's, which is read as data.

    base: the model that it came from, as this opens it; a LoRA is added to it, and tensors that the
    checkpoint lacks are taken from it. Headers are read, and no tensor of a safetensors file.
    Raises OSError or ValueError, one line that says what the file is.
    """
    files = {part: _files(path, part) for part in _parts(path)}
    held = {file: pickles.held(file) for own in files.values() for file in own}
    where = {
        part: {name: held[file] for file in own for name in held[file].headers}
        for part, own in files.items()
    }
    every = {name: one for own in where.values() for name, one in own.items()}
    if library := layouts.quantised(every):
        raise ValueError(
            f"{path} was quantised by {library}: its weights are rounded to a few bits. "
            f"Wanted: the weights that it was made from"
        )
    if added := layouts.loras(every):
        return _merged(path, list(held), every, added, base)
    of_text = where.get("text_encoder", {})
    text = layouts.text_encoder(of_text)
    try:
        layout, unet = layouts.unet(where.get("unet", of_text))
        unet = layouts.from_compvis(unet) if layout == "CompVis" else unet
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    tensors = {
        name: _tensor(there, stored)
        for there, named in ((where.get("unet", {}), unet), (of_text, text))
        for name, stored in layouts.pruned(named).items()
    }
    other = not text and any(".resblocks." in name for name in of_text)
    notes = ["its text encoder was not looked at: it is named as OpenCLIP's"] if other else []
    given = Checkpoint(path, list(held), layout, tensors, notes)
    return _beside(given, base) if base else given


def _parts(path: Path) -> list[str]:
    """What of a pipeline a checkpoint may have: both of a file, one of a directory of one."""
    if not path.is_dir():
        return list(disk.COMPONENTS)
    if there := [part for part in disk.COMPONENTS if (path / part).is_dir()]:
        return there
    named = {part: disk.named(path, disk.PARTS[part]) for part in disk.COMPONENTS}
    return ["text_encoder"] if named["text_encoder"] and not named["unet"] else ["unet"]


def _files(path: Path, part: str) -> list[Path]:
    return [file for file in checkpoints.paths(path, part) if file.suffix != ".json"]


def check(given: Checkpoint) -> None:
    """Reads every tensor. Raises ValueError for weights that are no finite numbers, and where every
    weight of every matrix is zero."""
    left, matrices = False, set(given.matrices())
    for name, tensor in given.tensors.items():
        value = tensor.value()
        if not np.isfinite(value).all():
            raise ValueError(f"{given.path}: {name} holds weights that are no numbers")
        left = left or (name in matrices and bool(value.any()))
    if not left:
        raise ValueError(f"{given.path} has nothing left: every weight of its matrices is zero")


def _tensor(where: Mapping[str, Held], stored: tuple[str, ...]) -> Tensor:
    kind, shape = where[stored[0]].headers[stored[0]]
    return Tensor(shape, kind, partial(_product, where, stored))


def _product(where: Mapping[str, Held], stored: tuple[str, ...]) -> np.ndarray:
    first, *others = (where[name].read(name).astype(np.float32) for name in stored)
    for other in others:
        first = first * other
    return first


def _beside(given: Checkpoint, base: Checkpoint) -> Checkpoint:
    """With the base's tensors where it has none, of the parts that both have. Raises ValueError,
    with those that differ, if the two are of different architectures."""
    parts = [{_is_text(name) for name in one.tensors} for one in (given, base)]
    shared = set.intersection(*parts)
    held = {name: t for name, t in given.tensors.items() if _is_text(name) in shared}
    own = {name: t for name, t in base.tensors.items() if _is_text(name) in shared}
    if not shared:
        raise ValueError(f"{given.path} and the base {base.path} are different parts of a model")
    unknown = [name for name in held if name not in own]
    other = [
        f"{name} is {_size(tensor.shape)}, the base's {_size(own[name].shape)}"
        for name, tensor in held.items()
        if name in own and tensor.shape != own[name].shape
    ]
    lacking = [name for name in own if name not in held]
    odd = [*other, *(f"the base has no {name}" for name in unknown)]
    if odd:
        odd += [f"it has no {name}" for name in lacking]
        more = f", and {len(odd) - TOLD} more" if len(odd) > TOLD else ""
        raise ValueError(
            f"{given.path} is of another architecture than the base {base.path}: "
            f"{'; '.join(odd[:TOLD])}{more}"
        )
    notes = ["its text encoder was not looked at: the base has none"] if parts[0] > shared else []
    if lacking:
        notes += [f"{len(lacking)} of {len(own)} tensors are not in the checkpoint: the base's"]
    tensors = {name: held.get(name, tensor) for name, tensor in own.items()}
    return Checkpoint(given.path, given.files, given.layout, tensors, given.notes + notes)


def _is_text(name: str) -> bool:
    return name.startswith(layouts.TEXT)


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a number"


def _merged(
    path: Path,
    files: list[Path],
    where: Mapping[str, Held],
    added: Mapping[str, tuple[str, str, str | None]],
    base: Checkpoint | None,
) -> Checkpoint:
    if base is None:
        raise ValueError(
            f"{path} is a LoRA, which changes a model and is none: say base=, the model it is for"
        )
    to = layouts.layers_of_loras(added, base.tensors)
    if not to:
        raise ValueError(f"{path} is a LoRA of another model: no layer of {base.path} is in it")
    tensors = dict(base.tensors)
    for layer, name in to.items():
        down, up, _ = (where[n].headers[n][1] if n else None for n in added[layer])
        was = tensors[name]
        if down and up and (up[0], *down[1:2]) != was.shape[:2]:
            raise ValueError(
                f"{path} is a LoRA of another architecture: {layer} is {up[0]}×{down[1]}, "
                f"the base's {name} {_size(was.shape)}"
            )
        tensors[name] = Tensor(was.shape, "F32", partial(_plus, was, where, added[layer]))
    elsewhere = len(added) - len(to)
    notes = [f"a LoRA of {len(to)} matrices, added to the base at its full strength"]
    more = f"{elsewhere} of its layers are of no part that the base has, and not looked at"
    notes += [more] if elsewhere else []
    return Checkpoint(path, files, "LoRA", tensors, notes)


def _plus(was: Tensor, where: Mapping[str, Held], factors: tuple[str, str, str | None]):
    """W + alpha / rank · up · down; alpha is the rank where none is told. Of convolutions down has
    the kernel, and up is 1×1."""
    down, up = (where[name].read(name).astype(np.float32) for name in factors[:2])
    scale = float(where[factors[2]].read(factors[2])) / len(down) if factors[2] else 1.0
    change = up.reshape(len(up), -1) @ down.reshape(len(down), -1)
    return was.value() + np.float32(scale) * change.reshape(was.shape)
