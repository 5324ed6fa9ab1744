"""Files: atomic writes, layers as safetensors, tables as parquet with their provenance.

What is written carries checksums, and what is read is held to them.
"""

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from regrowth.files.keys import NONE
from safetensors import safe_open
from safetensors.numpy import save_file

os.umask(UMASK := os.umask(0o077))
#: Columns that may be empty in one file and not in another; a data set needs one type.
TYPES = {"label": pa.string(), "score": pa.float64(), "features": pa.list_(pa.float32())}
VERSIONED = ("torch", "diffusers", "transformers", "numpy", "pyarrow")


class Damaged(Exception):
    """A result whose bytes are not those that were written; it has been set aside."""

    def __init__(self, file: Path, why: str):
        self.why = why
        super().__init__(
            f"{file} is damaged ({why}). It was set aside; `snakemake {file}`, with the study's "
            f"own --configfile, makes it anew, and then the run goes on"
        )


@contextmanager
def undamaged(file: str | Path) -> Iterator[Path]:
    """While a result is read: what cannot be read as it was written raises `Damaged`, and is
    renamed to a hidden name, so that it is taken for missing."""
    file = Path(file)
    try:
        yield file
    except Exception as error:  # a flipped bit can make a reader stumble over anything
        if isinstance(error, MemoryError) or getattr(error, "errno", None):
            raise  # it is not there, or not to be read by this user
        file.rename(file.with_name(f".{file.name}.damaged"))
        raise Damaged(file, str(error).split("\n")[0]) from error


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it there only if nothing was raised."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.chmod(0o666 & ~UMASK)  # safetensors writes for its owner alone
        with open(part, "rb") as written:
            os.fsync(written.fileno())  # or, if the power fails, a name may outlive its data
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> None:
    with replacing(target) as part:
        part.write_text(text, encoding="utf-8")


def checksum(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    """CRC-32 of names, dtypes, shapes and bytes, and of the metadata."""
    value = zlib.crc32(json.dumps(about, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        value = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), value)
        value = zlib.crc32(array.reshape(-1).view(np.uint8).data, value)
    return f"{value:08x}"


def write_arrays(target: str | Path, arrays: Mapping[str, np.ndarray], **about: Any) -> None:
    """Write arrays by name; `about` (JSON values) goes into the file's metadata."""
    contiguous = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    about["crc32"] = checksum(contiguous, about)
    with replacing(target) as part:  # one key: safetensors writes several in any order
        save_file(contiguous, part, {"regrowth": json.dumps(about)})


def write_parts(target: str | Path, parts: Mapping[int, Mapping[str, np.ndarray]]) -> None:
    """Several sets of arrays by number, each of which is read without the others."""
    sums = {str(n): checksum(arrays, {}) for n, arrays in parts.items()}
    flat = {f"{n}/{name}": array for n, arrays in parts.items() for name, array in arrays.items()}
    write_arrays(target, flat, parts=sums)


def read_part(file: str | Path, number: str) -> dict[str, np.ndarray]:
    """One set of `write_parts`. Raises `Damaged`, and KeyError if there is none of that number."""
    with undamaged(file), safe_open(file, framework="numpy") as f:
        wanted = _about(f)["parts"].get(number)
        before = f"{number}/"
        names = [name for name in f.keys() if name.startswith(before)]
        arrays = {name.removeprefix(before): f.get_tensor(name) for name in names}
        if wanted is not None and wanted != checksum(arrays, {}):
            raise ValueError("its checksum does not match")
    if wanted is None:
        raise KeyError(f"{file} has no part {number}")
    return arrays


def read_arrays(files: str | Path | Iterable[str | Path]) -> dict[str, np.ndarray]:
    """Every array of one file or several, by name. Raises `Damaged`."""
    files = [files] if isinstance(files, str | Path) else files
    out = {}
    for file in files:
        with undamaged(file), safe_open(file, framework="numpy") as f:
            arrays, about = {name: f.get_tensor(name) for name in f.keys()}, _about(f)
            if about.pop("crc32") != checksum(arrays, about):
                raise ValueError("its checksum does not match")
        out.update(arrays)
    return out


def read_about(file: str | Path) -> dict[str, Any]:
    """The metadata of `write_arrays`."""
    with safe_open(file, framework="numpy") as f:
        return {key: value for key, value in _about(f).items() if key != "crc32"}


def _about(held: Any) -> dict[str, Any]:
    return json.loads((held.metadata() or {})["regrowth"])


def write_frame(target: str | Path, frame: pd.DataFrame, **provenance: Any) -> None:
    """Write parquet; `provenance` (JSON values) and versions go into the schema's metadata.

    Raises ValueError if a column repeats a key of the path: the data set could not be read whole.
    """
    keyed = (part for part in Path(target).parts[:-1] if "=" in part)
    if twice := [part for part in keyed if part.split("=")[0] in frame]:
        raise ValueError(f"{', '.join(twice)} is a column of {target} and in its path")
    provenance["versions"] = {name: version(name) for name in VERSIONED}
    schema = pa.Schema.from_pandas(frame, preserve_index=False)
    for name, kind in TYPES.items():
        if name in schema.names:
            schema = schema.set(schema.get_field_index(name), pa.field(name, kind))
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    provenance["schema"] = _bare(table)  # pages have checksums, the footer has none
    about = {**(table.schema.metadata or {}), b"regrowth": json.dumps(provenance).encode()}
    with replacing(target) as part:
        named = table.replace_schema_metadata(about)
        asked = {"write_page_checksum": True, "use_compliant_nested_type": False}
        pq.write_table(named, part, compression="zstd", **asked)


def write_table(folder: Path, name: str, table: pd.DataFrame, **provenance: Any) -> None:
    """As `write_frame`, and beside it as CSV, of six digits."""
    write_frame(folder / f"{name}.parquet", table, **provenance)
    with replacing(folder / f"{name}.csv") as part:
        table.to_csv(part, index=False, float_format="%.6g")


def read_frame(file: str | Path) -> pd.DataFrame:
    """A frame of `write_frame`, without the keys that its path names. Raises `Damaged`."""
    with undamaged(file):
        table = pq.ParquetFile(file, page_checksum_verification=True).read()
        if _bare(table) != json.loads(table.schema.metadata[b"regrowth"])["schema"]:
            raise ValueError("its columns are not those that were written")
        return table.to_pandas(ignore_metadata=True)


def _bare(table: pa.Table) -> str:
    """The names and types of a table's columns."""
    return table.schema.remove_metadata().to_string()


def keys_of(file: str | Path, root: str | Path) -> dict[str, str]:
    """The keys that a file's path below `root` names: its folders, and "key=value.ending"."""
    parts = Path(file).relative_to(root).parts
    named = [*parts[:-1], *([Path(parts[-1]).stem] if "=" in parts[-1] else [])]
    return dict(part.split("=", 1) for part in named)


def read_hive(
    files: Iterable[str | Path], root: str | Path, names: Iterable[str] = ()
) -> pd.DataFrame:
    """Read parquet files below `root` into one frame, keys from the folders as strings. names: keys
    that every row has, "none" where its path has not."""
    frames, all_of = [], dict.fromkeys(names, NONE)
    for file in files:
        keys = all_of | keys_of(Path(file).with_name("file"), root)
        frames.append(read_frame(file).assign(**keys))
    return pd.concat(frames, ignore_index=True)
