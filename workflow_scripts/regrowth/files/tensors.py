"""Files of tensors by name, as people save and share them: safetensors, or PyTorch's.

They are data: nothing in them is ever run. What cannot be read is said in one line.
"""

import json
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

#: Name → (dtype as safetensors calls it, shape).
Headers = dict[str, tuple[str, tuple[int, ...]]]
#: Bytes of a weight as it is read, by what it is stored as. NumPy has no bfloat16: such weights
#: become float32, which holds each of them exactly.
READ_AS = {"F64": 8, "F32": 4, "BF16": 4, "F16": 2}
_LFS = b"version https://git-lfs"


def headers(file: Path) -> Headers:
    """What a file holds, from its header alone: no tensor is read, and torch is not imported.

    Raises ValueError for what are not tensors by name, OSError for what cannot be opened.
    """
    with _explained(file):
        return _in_safetensors(file) if file.suffix == ".safetensors" else _in_pickle(file)


def names(file: Path) -> list[str]:
    """The names of a file's tensors; dictionaries within are gone through: "state_dict.…".

    Raises as `headers` does.
    """
    if file.suffix == ".safetensors":
        return list(headers(file))
    with _explained(file):
        return list(_load(file))


def read(file: Path, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """The tensors so named, dense, in the dtype they are stored in; bfloat16 as float32.

    Raises as `headers` does, and ValueError for a dtype that is none of READ_AS.
    """
    held = Held(file)
    return {name: held.read(name) for name in list(wanted)}


class Held:
    """A file that is read tensor by tensor. headers: of all its tensors, by name as in `names`.

    What PyTorch wrote is mapped into memory where its form allows that. Raises as `headers` does.
    """

    def __init__(self, file: Path):
        self.file = file
        self._state: dict[str, Any] | None = None
        with _explained(file):
            if file.suffix == ".safetensors":
                self.headers = _in_safetensors(file)
                self._open = safe_open(file, framework="numpy")
            else:
                self._state = _load(file)
                self.headers = {n: (_kind(t), tuple(t.shape)) for n, t in self._state.items()}

    def read(self, name: str) -> np.ndarray:
        """One tensor, as `read` gives it. Raises as `read` does."""
        with _explained(self.file):
            kind, _ = self.headers[name]
        if kind not in READ_AS:
            raise ValueError(f"{self.file}: {name} is {kind}; wanted: float32, float16 or bfloat16")
        with _explained(self.file):
            if self._state is not None:
                return _array(self._state[name], kind)
            return _brain(self.file, name) if kind == "BF16" else self._open.get_tensor(name)


def _kind(tensor: Any) -> str:
    """A tensor's dtype as safetensors calls it, or, of those that are not read, as PyTorch does."""
    import torch

    told = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16"}
    return (told | {torch.bfloat16: "BF16"}).get(
        tensor.dtype, str(tensor.dtype).removeprefix("torch.")
    )


def bfloat16(array: np.ndarray) -> np.ndarray:
    """float32, each rounded to the nearest bfloat16, ties to even. NaN is not kept."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    bits = bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """What goes wrong in a file of somebody's becomes a line that says what the file is."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        if isinstance(error, OSError) and error.strerror:
            raise type(error)(f"{file}: {error.strerror}") from None
        raise ValueError(f"{file} {_ailment(file) or _reason(error)}") from None


def _ailment(file: Path) -> str:
    """What stands in the place of tensors, told by a file's beginning; "" if that is not told."""
    size = file.stat().st_size
    with open(file, "rb") as stream:
        start = stream.read(64)
    if not size:
        return "is empty: its download failed"
    if start.startswith(b"GGUF"):
        return "is GGUF, whose weights are rounded to a few bits: wanted are those it was made from"
    if start.startswith(_LFS):
        return "is a Git-LFS pointer, not what it points to: run `git lfs pull` in its folder"
    if start.lstrip()[:1] == b"<":
        return "is a web page: the download failed"
    if file.suffix == ".safetensors":
        if start.startswith((b"PK\3\4", b"\x80")) and start[8:9] != b"{":
            return "is PyTorch's and no safetensors file: name it .bin"
        promised = _promised(file)
        return f"is cut short: {size:,} of {promised:,} bytes" if size < promised else ""
    if file.suffix == ".npz":
        return "is NumPy's: save it as .safetensors"
    if start.startswith(b"PK\3\4") and not zipfile.is_zipfile(file):
        return f"is cut short: its download ended after {size:,} bytes"
    return ""


def _promised(file: Path) -> int:
    """How many bytes a safetensors file's header says that it has; 0 if it is no header."""
    size = file.stat().st_size
    with open(file, "rb") as stream:
        n = int.from_bytes(stream.read(8), "little")
        start = stream.read(min(n, size))
    if start[:1] != b"{":
        return 0
    if len(start) < n:
        return 8 + n
    ends = [about["data_offsets"][1] for about in _entries(start).values()]
    return 8 + n + max(ends, default=0)


def _reason(error: Exception) -> str:
    asked = re.search(r"(?:GLOBAL|asks for) ([\w.]+)", str(error))
    if asked:
        return f"holds more than weights by name, {asked[1]}: save its state_dict() alone"
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    if first.startswith("Weights only load failed"):
        first = "it is not what torch.save writes of tensors"
    return f"holds more than weights by name, or is damaged: {first[:200]}"


def _entries(header: bytes) -> dict[str, dict[str, Any]]:
    return {name: v for name, v in json.loads(header).items() if name != "__metadata__"}


def _in_safetensors(file: Path) -> Headers:
    with safe_open(file, framework="numpy") as held:
        parts = {name: held.get_slice(name) for name in held.keys()}
        return {name: (p.get_dtype(), tuple(p.get_shape())) for name, p in parts.items()}


def _brain(file: Path, name: str) -> np.ndarray:
    """A tensor of bfloat16 in a safetensors file, float32."""
    with open(file, "rb") as stream:
        n = int.from_bytes(stream.read(8), "little")
        about = _entries(stream.read(n))[name]
        begin, end = about["data_offsets"]
        stream.seek(8 + n + begin)
        halves = np.frombuffer(stream.read(end - begin), "<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(about["shape"])


def _load(file: Path) -> dict[str, Any]:
    """Every tensor of a file of PyTorch's, by name."""
    import torch

    whole = {"mmap": True} if zipfile.is_zipfile(file) else {}
    return dict(_flat(torch.load(file, map_location="cpu", weights_only=True, **whole)))


def _flat(held: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    import torch

    if isinstance(held, torch.Tensor):
        yield before.removesuffix("."), held
    elif isinstance(held, Mapping):
        for name, value in held.items():
            yield from _flat(value, f"{before}{name}.")
    elif not before:
        raise ValueError(f"it is a {type(held).__name__}")


def _array(tensor: Any, kind: str) -> np.ndarray:
    dense = tensor.detach().to_dense()
    return (dense.float() if kind == "BF16" else dense).numpy()


def _in_pickle(file: Path) -> Headers:
    """From what torch.save wrote: a zip archive, or (before 1.6) four pickles and raw storages."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            (name,) = [n for n in archive.namelist() if n.endswith("/data.pkl")]
            with archive.open(name) as stream:
                found = _Headers(stream).load()
    else:
        with open(file, "rb") as stream:
            _magic, _protocol, _system, found = (_Headers(stream).load() for _ in range(4))
    if others := [n for n, held in found.items() if not isinstance(held, _Header)]:
        raise ValueError(f"it holds {', '.join(map(str, others[:4]))}")
    return {name: (kind, shape) for name, (kind, shape) in found.items()}


class _Header(tuple[str, tuple[int, ...]]):
    """(dtype, shape) of a tensor."""


def _header(storage: str, offset: int, shape: Iterable[int], *rest: Any) -> _Header:
    kinds = {"Double": "F64", "Float": "F32", "Half": "F16", "BFloat16": "BF16"}
    kind = storage.removesuffix("Storage")
    return _Header((kinds.get(kind, kind), tuple(shape)))


class _Headers(pickle.Unpickler):
    """Builds dicts of tensors' headers and no other object; a name it does not know is an error."""

    known = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor"): _header,
        ("torch._utils", "_rebuild_tensor_v2"): _header,
        ("torch._utils", "_rebuild_parameter"): lambda held, *rest: held,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name.endswith("Storage"):
            return name
        if (module, name) not in self.known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        return pid[1]
