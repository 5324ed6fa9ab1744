"""What jobs and files cost, in seconds and bytes: what was measured, and what others come to.

Hours and gigabytes are scaled from what was measured, in this study or in another of the same
model; sizes, also from known shapes. What nobody measured is unknown; what drawing with a Stable
Diffusion would take is then told from what others state of some GPUs.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from regrowth.models import disk

#: What a rule's time depends on beside its size: a key in the benchmark's path.
TIMED_BY = {"score": "judges", "complete": "solver", "unlearn": "unlearner", "regrow": "attack"}
#: What a file's size depends on beside its stage.
SIZED_BY = {"scores": "judges", "patches": "variant"}
#: What grows with the pictures; everything else is measured by the job or the file.
BY_PICTURE = ("images", "thumbnails", "scores")
#: What grows with them from nothing.
EVENLY = ("images", "scores")
#: What a damaged file of a study, maybe another's, may raise.
UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration),
    *(yaml.YAMLError, pa.ArrowException),
)
#: How many files of a study are looked at, for each kind of job.
SAMPLE = 200
OWN = "this study"
MEASURED = ["kind", "model", "units", "amount"]
#: Pictures a second of 512 × 512 at 50 steps that others state of SD-v1.5; none was measured here.
#: From diffusers' documentation of PyTorch 2.0 (half precision, batches of 4, uncompiled): steps a
#: second times 4 / 50. It has no H100: that is the A100's, times the 595 to 381 pictures a second
#: that Stability AI states of training SD3.
STATED = {"H100": 1.45, "A100": 0.93, "RTX 4090": 1.01, "T4": 0.14}
STATED_SIDE, STATED_STEPS = 512, 50


def timed_as(benchmark: Path) -> str:
    """What is timed together: "generate", "score clip". benchmark: its path below benchmarks/."""
    return _kind(benchmark, TIMED_BY)


def stored_as(file: Path) -> str:
    """What is sized together: "images", "scores clip". file: its path below the study's folder."""
    return _kind(file, SIZED_BY) if len(file.parts) > 1 else "report"


def _kind(path: Path, keyed: dict[str, str]) -> str:
    first = path.parts[0].removesuffix(".tsv")
    found = re.search(rf"/{keyed[first]}=([^/]+)", str(path)) if first in keyed else None
    return f"{first} {found[1]}" if found else first


def seconds_of(benchmark: Path) -> float:
    """The seconds in a benchmark file; NaN where there are none."""
    try:
        with open(benchmark, newline="", encoding="utf-8") as stream:
            return float(next(csv.DictReader(stream, delimiter="\t"))["s"])
    except (FileNotFoundError, StopIteration, KeyError, TypeError, ValueError):
        return np.nan


def format_of(shard: Path) -> str:
    """The format of a shard's pictures, from the first one's magic bytes."""
    first = next(pq.ParquetFile(shard).iter_batches(1, columns=["image"]))
    return "png" if first["image"][0].as_py()["bytes"].startswith(b"\x89PNG") else "webp"


def judged(scores: Path) -> int:
    """How many pictures a score file tells of; a detector may have several rows for one."""
    picture = ["prompt_set", "prompt", "seed"]
    return pq.read_table(scores, columns=picture).group_by(picture).aggregate([]).num_rows


@dataclass(frozen=True)
class Measured:
    """What a study measured: frames of kind, model, units and amount (seconds; bytes)."""

    times: pd.DataFrame
    sizes: pd.DataFrame
    devices: tuple[str, ...] = ()


def measured(out: Path, steps: dict[str, int], format: str) -> Measured:
    """The times and sizes of a sample of a study's jobs, whatever its settings were.

    steps: of the models' cards by digest, for a study without its own; format: of the pictures
    whose sizes count. Unsafe pictures are gone, so their jobs do not count; nor does what is
    damaged.
    """
    times, sizes, devices, same = [], [], set(), None
    try:
        card = yaml.safe_load((out / "model.yaml").read_text(encoding="utf-8"))
        own, drawn = card["digest"], card["sampler"]["steps"]
    except UNREADABLE:
        return Measured(*[pd.DataFrame(columns=MEASURED)] * 2)
    kinds: dict[str, list[Path]] = {}
    for file in sorted((out / "benchmarks").rglob("*.tsv")):
        path = file.relative_to(out / "benchmarks")
        kinds.setdefault(timed_as(path), []).append(path)
    for kind, paths in kinds.items():
        for path in paths[:: -(-len(paths) // SAMPLE)]:
            seconds, model = seconds_of(out / "benchmarks" / path), own
            stage = {"generate": "images", "score": "scores"}.get(path.parts[0])
            if not stage:
                times.append((kind, model, 1, seconds))
                continue
            made = Path(stage, *path.parts[1:]).with_suffix("")
            file = out / made
            if not file.is_file():
                continue
            with suppress(*UNREADABLE):
                if stage == "scores":
                    n = judged(file)
                    times.append((kind, model, n, seconds))
                    sizes.append((stored_as(made), model, n, file.stat().st_size))
                    continue
                footer = pq.read_metadata(file)
                about, n = json.loads(footer.metadata.get(b"regrowth", "{}")), footer.num_rows
                model = about.get("model")
                devices.add(about.get("device", "where is not told"))
                each = drawn or steps.get(model, np.nan)
                times.append((kind, model, n * each, seconds))
                same = format_of(file) == format if same is None else same
                if same:
                    sizes.append((stage, model, n, file.stat().st_size))
                    small = out / "thumbnails" / made.relative_to(stage)
                    sizes.append(("thumbnails", model, n, small.stat().st_size))
    timed, sized = (pd.DataFrame(rows, columns=MEASURED).dropna() for rows in (times, sizes))
    return Measured(timed, sized, tuple(sorted(devices)))


def benchmarked(out: Path, model: str) -> pd.DataFrame:
    """The times of a study's jobs by their benchmarks alone, whatever its settings were: MEASURED,
    each job a unit."""
    root = out / "benchmarks"
    files = sorted(root.rglob("*.tsv"))
    rows = [(timed_as(file.relative_to(root)), model, 1, seconds_of(file)) for file in files]
    return pd.DataFrame(rows, columns=MEASURED).dropna()


class Studies:
    """What was measured: in this study's finished jobs and files, in former ones of it, in other
    studies, the last begun first. A study is read when it is asked for."""

    def __init__(self, out: Path, steps: dict[str, int], format: str):
        begun = [file for file in out.parent.glob("*/model.yaml") if file.parent != out]
        others = sorted(begun, key=lambda file: -file.stat().st_mtime)
        own = [out] if (out / "model.yaml").is_file() else []
        self.out, self.folders = out, [*own, *(file.parent for file in others)]
        self.read = lru_cache(partial(measured, steps=steps, format=format))

    def times(self, jobs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        yield OWN, jobs.loc[jobs["amount"].notna(), MEASURED]
        for folder in self.folders:
            yield self._name(folder), self.read(folder).times

    def sizes(self, files: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        alone = ~files["kind"].str.split().str[0].isin(BY_PICTURE)
        yield OWN, files.loc[alone & files["amount"].notna(), MEASURED]
        for folder in self.folders:
            yield self._name(folder), self.read(folder).sizes

    def _name(self, folder: Path) -> str:
        return OWN if folder == self.out else str(folder)

    def device(self, name: str) -> str:
        """What the pictures of the study so named were made on."""
        folders = [folder for folder in self.folders if self._name(folder) == name]
        return ", ".join(device for folder in folders for device in self.read(folder).devices)


def side_of(model: Path) -> int:
    """Width and height of a model's pictures, from its files."""
    unet, vae = (
        json.loads((model / c / "config.json").read_text(encoding="utf-8")) for c in ("unet", "vae")
    )
    size = unet["sample_size"]
    side = size if isinstance(size, int) else max(size)
    return side * 2 ** (len(vae["block_out_channels"]) - 1)


def densest(records: Iterable[dict]) -> float:
    """The most that a mask can erase, over the erasers' settings: ConceptPrune's ratio at each of
    its steps."""
    settings = [record["eraser"] for record in records if record["eraser"]]
    if not all({"ratio", "steps"} <= each.keys() for each in settings):
        return 1.0
    return max((min(1.0, each["ratio"] * each["steps"]) for each in settings), default=1.0)


def shapes(parts: list[list[disk.Layer]], model: Path, density: float) -> dict:
    """The least and the most bytes per unit that shapes tell, by kind of file.

    parts: the layers of each job; density: the most that a mask can have. A picture has at most the
    bytes of its pixels.
    """
    layers = [layer for part in parts for layer in part]
    n, side, n_parts = sum(np.prod(w.shape) for w in layers), side_of(model), len(parts)
    values = n / 8, n / 8 + 4 * n * density
    exact = {
        "masks": n / 8 / n_parts,
        "released": layers[0].itemsize * n / n_parts,
    }
    return {kind: (each, each) for kind, each in exact.items()} | {
        "completed": (values[0] / n_parts, values[1] / n_parts),
        "patches revived": values,
        "patches oracle": values,
        "images": (0, 3 * side**2),
        "thumbnails": (0, 3 * min(side, 128) ** 2),
    }


def between(measured: pd.DataFrame, units: np.ndarray, evenly: bool) -> tuple[np.ndarray, ...]:
    """The least and the most that jobs of `units` take, by jobs measured: units and amount of each.

    evenly: the amount grows from nothing. Else a job has its start, too: a line through jobs of
    several sizes tells the two apart; without them a job takes something between what a measured
    one took and as much more as it is larger.
    """
    sizes, amounts = measured["units"].to_numpy(float), measured["amount"].to_numpy(float)
    each, scaled = np.full(len(units), amounts.mean()), units * amounts.sum() / sizes.sum()
    if evenly:
        return scaled, scaled
    if sizes.max() >= 2 * sizes.min() and units.max() <= 2 * sizes.max():
        slope, start = np.polyfit(sizes, amounts, 1)
        best = scaled if start < 0 else each if slope < 0 else start + slope * units
        return best, best
    return np.minimum(each, scaled), np.maximum(each, scaled)


def estimate(wanted: pd.DataFrame, tables: Iterable[tuple[str, pd.DataFrame]], known: dict):
    """`wanted` with what each row will take: columns low, high (NaN: unknown) and source.

    wanted: kind, model, units; tables: (name, frame), the best first; the first that measured a
    row's kind and model counts, and none is looked at when all is found; known: (low, high) of one
    unit by kind, for what none measured.
    """
    out = wanted.drop(columns="amount", errors="ignore").reset_index(drop=True)
    out = out.assign(low=np.nan, high=np.nan, source="")
    left = dict(iter(out.groupby(["kind", "model"])["units"]))
    tables = iter(tables)
    while left and (table := next(tables, None)):
        name, frame = table
        for key, part in frame.groupby(["kind", "model"]):
            if key in left:
                units = left.pop(key)
                told = between(part, units.to_numpy(float), key[0].split()[0] in EVENLY)
                out.loc[units.index, "low"], out.loc[units.index, "high"] = told
                out.loc[units.index, "source"] = name
    for (kind, _), units in left.items():
        low, high = known.get(kind, (np.nan, np.nan))
        out.loc[units.index, "low"], out.loc[units.index, "high"] = low * units, high * units
        out.loc[units.index, "source"] = "shapes"
    return out


def stated(estimates: pd.DataFrame, side: int) -> dict[str, float]:
    """Seconds by GPU to draw the pictures whose time nobody measured; of another side than those
    that others timed: {}. side: of the model's pictures."""
    left = estimates[(estimates["kind"] == "generate") & estimates["high"].isna()]
    if left.empty or side != STATED_SIDE:
        return {}
    return {gpu: left["units"].sum() / STATED_STEPS / rate for gpu, rate in STATED.items()}
