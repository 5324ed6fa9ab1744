"""Checkpoints as trainers leave them: beside weights they pickle what held the training together.

Of that nothing is made: what such a name stands for here takes whatever it is given and keeps none
of it. A file that asks for any other name is refused, before torch is imported.
"""

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regrowth.files import tensors
from regrowth.files.tensors import Held

#: What the released Stable Diffusion 1 files hold beside weights, and the likes of it.
HARMLESS = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
    "lightning.pytorch.callbacks.early_stopping.EarlyStopping",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
)
#: Where the names lie of what torch.load(weights_only=True) knows; it looks at each of them itself.
_TORCHS = ("torch", "collections", "_codecs", "builtins", "__builtin__")
#: Pickles that torch.save wrote before 1.6, ahead of the raw weights.
_BEFORE_WEIGHTS = 4


class Nothing:
    """Takes the place of an object that is not wanted."""

    __slots__ = ()

    def __new__(cls, *given: Any) -> "Nothing":
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass


def held(file: Path) -> Held:
    """A file's tensors, as `Held`. Raises as it does, and ValueError for a pickle that asks for
    more than tensors and HARMLESS."""
    if file.suffix == ".safetensors":
        return Held(file)
    try:
        asked = set(_asked(file))
    except (ValueError, zipfile.BadZipFile):
        asked = set()
        tensors.headers(file)  # raises, and says what it is instead
    if foreign := sorted(n for n in asked - {*HARMLESS} if n.split(".")[0] not in _TORCHS):
        raise ValueError(
            f"{file} holds more than weights by name, {foreign[0]}: save its state_dict() alone"
        )
    from torch.serialization import safe_globals

    with safe_globals([(Nothing, name) for name in HARMLESS]):
        return Held(file)


def _asked(file: Path) -> Iterator[str]:
    """Every name that a pickle asks for, told without making anything. Raises ValueError for what
    is none."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            (name,) = [n for n in archive.namelist() if n.endswith("/data.pkl")]
            yield from _names(archive.read(name))
        return
    with open(file, "rb") as stream:
        for _ in range(_BEFORE_WEIGHTS):
            yield from _names(stream)


def _names(pickled: Any) -> Iterator[str]:
    for code, told, _ in pickletools.genops(pickled):
        if code.name in ("GLOBAL", "INST"):
            yield str(told).replace(" ", ".")
