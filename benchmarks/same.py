"""Whether two runs of one study, before and after a change of the code, made the same results.

    python benchmarks/same.py OLD/results/smoke results/smoke

Every array of every safetensors file and every frame of every parquet file, byte for byte; not what
the files say of themselves (digests of code, times).
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file


def files(folder: Path) -> dict[str, Path]:
    kept = (f for f in folder.rglob("[!.]*") if f.suffix in (".parquet", ".safetensors"))
    return {str(f.relative_to(folder)): f for f in sorted(kept)}


def equal(old: Path, new: Path) -> bool:
    if old.suffix == ".parquet":
        a, b = (pq.ParquetFile(f).read().replace_schema_metadata() for f in (old, new))
        return a.equals(b) or a.to_pandas().equals(b.to_pandas())  # nan is nan
    a, b = load_file(old), load_file(new)
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and np.array_equal(a[name].view("u1"), b[name].view("u1"))
        for name in a
    )


if __name__ == "__main__":
    old, new = (files(Path(folder)) for folder in sys.argv[1:3])
    if not old or not new:
        sys.exit("there is no result to compare")
    for name in sorted(old.keys() ^ new.keys()):
        print("only in", "the first:" if name in old else "the second:", name)
    both = sorted(old.keys() & new.keys())
    other = [name for name in both if not equal(old[name], new[name])]
    print(*other, sep="\n")
    print(f"{len(both) - len(other)} of {len(both)} files hold the same")
    sys.exit(bool(other) or old.keys() != new.keys())
