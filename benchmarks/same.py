"""Whether two runs of one study, before and after a change of the code, made the same results.

    python benchmarks/same.py OLD/results/smoke results/smoke

Every array of every safetensors file and every frame of every parquet file, byte for byte; not what
the files say of themselves (digests of code, times). The first run's paths may be those of 41e67c9,
where each variant had every key and norms were an eraser's. Stays until 0.1.0 is tagged.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from regrowth.files import keys
from regrowth.study import variants
from safetensors.numpy import load_file

#: Columns of tables that a variant has got since.
NEW = "layer_alone"


def files(folder: Path) -> dict[str, Path]:
    kept = (f for f in folder.rglob("[!.]*") if f.suffix in (".parquet", ".safetensors"))
    return {str(f.relative_to(folder)): f for f in sorted(kept)}


def moved(path: str, steps: int) -> str:
    """Where a file of 41e67c9 lies now. steps: those of calibration."""
    stage, *folders, name = path.split("/")
    cell = keys.parsed("/".join(f for f in folders if "=" in f)) if folders else {}
    if stage == "calibration" and "eraser" in cell:
        return f"{stage}/concept={cell['concept']}/steps={steps}/{name}"
    if "magnitude" not in cell:
        return path
    whole = variants.PRETRAINED | cell
    if whole["variant"].startswith("layer"):
        number = str(int(whole["variant"].removeprefix("layer")))
        whole |= {"variant": "alone", "layer_alone": number}
    rest = {key: value for key, value in cell.items() if key not in variants.KEYS}
    return "/".join(filter(None, [stage, variants.path(whole), keys.path(rest), name]))


def equal(old: Path, new: Path) -> bool:
    if old.suffix == ".parquet":
        a, b = (pq.ParquetFile(f).read().replace_schema_metadata() for f in (old, new))
        if NEW in b.column_names and NEW not in a.column_names:
            at = b.column_names.index(NEW)
            a = a.add_column(at, NEW, pa.array([keys.NONE] * len(a), b[NEW].type))
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
    smoke = yaml.safe_load(Path("config/smoke.yaml").read_text(encoding="utf-8"))
    steps = smoke["erasers"]["conceptprune"]["object"]["steps"]
    old = {moved(name, steps): file for name, file in old.items()}
    for name in sorted(old.keys() ^ new.keys()):
        print("only in", "the first:" if name in old else "the second:", name)
    both = sorted(old.keys() & new.keys())
    other = [name for name in both if not equal(old[name], new[name])]
    print(*other, sep="\n")
    print(f"{len(both) - len(other)} of {len(both)} files hold the same")
    sys.exit(bool(other) or old.keys() != new.keys())
