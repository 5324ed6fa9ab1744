"""What a study takes a checkpoint for: the model with holes, with filled ones, or another."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from regrowth.audit.layouts import TEXT
from regrowth.audit.reading import Checkpoint
from regrowth.erase import checkpoints
from regrowth.files.store import write_arrays
from regrowth.models import LAYERS, disk
from regrowth.models.disk import Layer


@dataclass(frozen=True)
class Taken:
    """How a study takes a checkpoint. file: of its UNet in diffusers' layout, or a directory of
    that and its text encoder; eraser: of `drawn.IN_ORDER`; family: of layers, under attack;
    detector: what sees its holes."""

    file: Path
    eraser: str
    family: str
    detector: str = "zeros"


def taken(
    given: Checkpoint, folder: Path, model: Path, family: str, detectors: Mapping[str, str]
) -> Taken:
    """Writes a checkpoint into a folder, and says what a study takes it for: a "checkpoint" if it
    is the model with holes in one family of layers, which attacks complete; "filled" if it is the
    model but for one whose holes a detector sees; else a "model", which has none.

    model: a pipeline's directory. family: whose holes are looked for first. detectors: by family.
    """
    stored = disk.stored(model)
    other = changed(given, stored)
    file = _written(given, folder, stored, any(name.startswith(TEXT) for name in other))
    for name in dict.fromkeys((family, *LAYERS)):
        layers = [layer for layer in stored.values() if _is_of(layer, name)]
        if not other or not other <= {layer.name for layer in layers}:
            continue
        try:
            layers = disk.attacked_layers(model, name)
            checkpoints.check(file, layers, disk.read_weights(layers))
        except (OSError, ValueError):
            if name in detectors:
                return Taken(file, "filled", name, detectors[name])
        else:
            return Taken(file, "checkpoint", name)
    return Taken(file, "model", family)


def _is_of(layer: Layer, family: str) -> bool:
    own = LAYERS[family]
    return layer.file.parent.name == own.component and bool(re.search(own.pattern, layer.name))


def changed(given: Checkpoint, stored: Mapping[str, Layer]) -> set[str]:
    """The model's tensors that a checkpoint has otherwise, in whatever precision, of the parts that
    it has. stored: the model's, as `disk.stored` tells."""
    parts = {name.startswith(TEXT) for name in given.tensors}
    own = {name: layer for name, layer in stored.items() if name.startswith(TEXT) in parts}
    shapes = {name: tensor.shape for name, tensor in given.tensors.items()}
    alike = [layer for name, layer in own.items() if shapes.get(name) == tuple(layer.shape)]
    for name, weights in disk.each_weight(alike):
        if checkpoints.same(given.tensors[name].value(), weights).all():
            del own[name]
    return set(own)


def _written(given: Checkpoint, folder: Path, stored: Mapping[str, Layer], text: bool) -> Path:
    """text: whether its text encoder counts. The model's UNet stands for one that it has not."""
    values = {name: tensor.value() for name, tensor in given.tensors.items()}
    unet = {name: value for name, value in values.items() if not name.startswith(TEXT)}
    if not unet:
        layers = [layer for name, layer in stored.items() if not name.startswith(TEXT)]
        unet = disk.read_weights(layers)
    if not text:
        write_arrays(folder / "unet.safetensors", unet)
        return folder / "unet.safetensors"
    bare = {n.removeprefix(TEXT): value for n, value in values.items() if n.startswith(TEXT)}
    out = folder / "released"
    files = {"unet": (disk.DIFFUSERS[1], unet), "text_encoder": (disk.TRANSFORMERS[0], bare)}
    for part, (name, held) in files.items():
        (out / part).mkdir(parents=True, exist_ok=True)
        write_arrays(out / part / name, held)
    return out
