"""What a study will take: its pictures, its jobs and why they would run, hours and gigabytes.

Hours and gigabytes are scaled from what was measured, in this study or in another of the same
model; sizes, also from known shapes. What nobody measured is called unknown.
"""

import csv
import json
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from regrowth.files import keys
from regrowth.models import disk
from regrowth.study import prompts

WIDTH = 100
#: What a rule's time depends on beside its size: a key in the benchmark's path.
TIMED_BY = {"score": "judge", "complete": "solver"}
#: What a file's size depends on beside its stage.
SIZED_BY = {"scores": "judge", "patches": "variant"}
#: What grows with the pictures; everything else is measured by the job or the file.
BY_PICTURE = ("images", "thumbnails", "scores")
#: What a damaged file of a study, maybe another's, may raise.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration)
UNREADABLE += (yaml.YAMLError, pa.ArrowException)
#: How many files of a study are looked at, for each kind of job.
SAMPLE = 200
#: What grows with them from nothing.
EVENLY = ("images", "scores")
#: The stages that the table of files tells one by one.
SHOWN = ("masks", "released", "completed", "patches", *BY_PICTURE)
REST = "all others"
OWN = "this study"
MEASURED = ["kind", "model", "units", "amount"]


def why(reason, params: dict, temporary: Iterable[str] = ()) -> str:
    """Why a job would run. reason: a `snakemake.jobs.Reason`; params: the job's, by name;
    temporary: its outputs that are deleted once used."""
    if reason.missing_output - set(temporary):
        return "new"
    if reason.forced:
        return "cut off or forced"
    if reason.params_changed:
        new = reason.params_changed.only_new
        names = [name for name, value in params.items() if repr(value) in new]
        return f"{', '.join(names) or 'params'} changed"
    told = {
        "code_changed": "code changed",
        "software_stack_changed": "environment changed",
        "input_changed": "other inputs",
        "updated_input": "input newer",
        "updated_input_run": "input remade",
        "missing_output": "temporary output gone",
    }
    return next((text for name, text in told.items() if getattr(reason, name)), "always runs")


def _kind(path: Path, keyed: dict[str, str]) -> str:
    first = path.parts[0].removesuffix(".tsv")
    found = re.search(rf"/{keyed[first]}=([^/]+)", str(path)) if first in keyed else None
    return f"{first} {found[1]}" if found else first


def timed_as(benchmark: Path) -> str:
    """What is timed together: "generate", "score clip". benchmark: its path below benchmarks/."""
    return _kind(benchmark, TIMED_BY)


def stored_as(file: Path) -> str:
    """What is sized together: "images", "scores clip". file: its path below the study's folder."""
    return _kind(file, SIZED_BY) if len(file.parts) > 1 else "report"


def sets_of(cells: list[dict], study, catalogue, root: Path) -> dict[str, dict]:
    """The prompt sets of the cells, each with its number of pictures and its judges."""
    names = dict.fromkeys(name for cell in cells for name in cell["prompts"].split("+"))
    return {
        name: {
            "pictures": len(prompts.set_rows(study, catalogue, name, root)),
            "judges": prompts.judges_of(catalogue, name),
        }
        for name in names
    }


def pictures_of(wildcards: dict, sets: dict[str, dict], shard: int) -> int:
    """How many pictures a job makes or judges. sets: "pictures" and "judges" of each."""
    if not {"variant", "prompts"} <= wildcards.keys():
        return 0
    some = [sets[name] for name in wildcards["prompts"].split("+")]
    judge = wildcards.get("judge")
    n = sum(s["pictures"] for s in some if judge is None or judge in s["judges"])
    return min(shard, n - int(wildcards["shard"]) * shard) if "shard" in wildcards else n


def jobs_of(records: Iterable[dict], out: Path, model: str, sets: dict, shard: int):
    """A frame of jobs, with the seconds of those done, and one of the files that they leave.

    records: rule, why (empty: it is done), gpu, threads, wildcards, sampling, benchmark and outputs
    of each job of a DAG; model: digest of the study's; sets, shard: as for `pictures_of`.
    """
    jobs, files = [], []
    for record in records:
        images, sampling = pictures_of(record["wildcards"], sets, shard), record["sampling"] or {}
        job = {name: record[name] for name in ("rule", "why", "gpu", "threads")}
        job |= {"model": sampling.get("model", model), "images": images}
        for file in map(Path, record["outputs"]):
            kind = stored_as(file.relative_to(out))
            units = images if kind.split()[0] in BY_PICTURE else 1
            held = file.stat().st_size if file.is_file() else np.nan
            files.append(job | {"kind": kind, "units": units, "amount": held})
        timed = Path(record["benchmark"] or out / "benchmarks" / record["rule"])
        kind, units = timed_as(timed.relative_to(out / "benchmarks")), images or 1
        seconds = np.nan if record["why"] else seconds_of(timed)
        units *= sampling.get("steps", 1)
        jobs.append(job | {"kind": kind, "units": units, "amount": seconds})
    return pd.DataFrame(jobs), pd.DataFrame(files)


# What was measured


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
    frames = [pd.DataFrame(rows, columns=MEASURED).dropna() for rows in (times, sizes)]
    return Measured(*frames, tuple(sorted(devices)))


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


# What it comes to


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


def total(estimates: pd.DataFrame, show: Callable[[float], str]) -> str:
    """The sum, from the least to the most that it can be, as `show` writes it; "?" is unknown."""
    known = estimates[estimates["high"].notna()]
    if known.empty and len(estimates):
        return "unknown"
    low, high = known["low"].sum(), known["high"].sum()
    if high <= 1.25 * low or not high:
        text = show((low + high) / 2)
    else:
        most = show(high)
        unit = most[most.rfind(" ") :] if " " in most else ""
        text = f"{show(low).removesuffix(unit)}–{most}" if low else f"≤{most}"
    return text + (" + ?" if len(known) < len(estimates) else "")


def duration(seconds: float) -> str:
    """As "40 s", "12 min", "3.4 h" or "120 h"."""
    if seconds < 99.5 * 60:
        return f"{seconds:.0f} s" if seconds < 99.5 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.{int(seconds < 99.5 * 3600)}f} h"


def hours(seconds: float) -> str:
    return f"{seconds / 3600:,.{2 if seconds < 99.5 * 3600 else 0}f}"


def size(amount: float) -> str:
    """As "3.1 kB" or "340 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.{int(amount < 9.95 and unit != 'B')}f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


# What is printed


def _folded(title: str, text: str) -> str:
    first, rest = f"{title:<11}", " " * 11
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def _counted(names: Iterable[str], sign: str = " ") -> str:
    return ", ".join(f"{n:,}{sign}{name}" for name, n in Counter(names).most_common())


def _kind_of(variant: dict[str, str]) -> str:
    defended = variant["defence"] != keys.NONE
    return variant["variant"] + (f" ({variant['defence']})" if defended else "")


def cells_text(study: str, cells: list[dict], sets: dict[str, dict], jobs: pd.DataFrame) -> str:
    """The study's size: concepts, variants, prompt sets, pictures."""
    variants = {tuple(c[key] for key in keys.VARIANT): c for c in cells}
    concepts = list(dict.fromkeys(c["concept"] for c in cells if c["concept"] != keys.NONE))
    shards = jobs[jobs["kind"] == "generate"]
    todo, unsafe = shards[shards["why"] != ""], shards[shards["rule"] == "generate_unsafe"]
    images, more = shards["images"].sum(), todo["images"].sum()
    pictures = (
        f"{images - more:,} made, {more:,} to make, in {len(todo):,} of {len(shards):,} shards"
    )
    if len(unsafe):
        pictures += f"; {unsafe['images'].sum():,} are unsafe and deleted once judged"
    lines = [
        f"Study {study}: {len(cells):,} cells, {images:,} pictures, {len(jobs):,} jobs",
        "",
        _folded("concepts", f"{len(concepts)}: {', '.join(concepts)}"),
        _folded("variants", _counted(map(_kind_of, variants.values()))),
        _folded("prompts", ", ".join(f"{name} {s['pictures']:,}" for name, s in sets.items())),
        _folded("pictures", pictures),
    ]
    return "\n".join(line.rstrip() for line in lines)


def jobs_text(jobs: pd.DataFrame, estimates: pd.DataFrame, device: Callable[[str], str]) -> str:
    """The table of jobs by rule, with the reasons; then the hours, and where they are from.

    jobs: all; estimates: of those to do; device: what a study of that name drew on.
    """
    lines = [f"{'rule':<16}{'all':>7}{'done':>7}{'to do':>7}{'time':>20}   why"]
    for rule, part in jobs.groupby("rule", sort=False):
        todo = estimates[estimates["rule"] == rule]
        time = total(todo, duration) if len(todo) else ""
        line = f"{rule:<16}{len(part):>7,}{len(part) - len(todo):>7,}{len(todo):>7,}{time:>20}   "
        reasons = (
            todo["why"].iloc[0] if todo["why"].nunique() == 1 else _counted(todo["why"], " × ")
        )
        folded = textwrap.wrap(reasons, WIDTH - len(line)) or [""]
        lines += [line + folded[0], *(" " * len(line) + more for more in folded[1:])]
    if estimates.empty:
        return "\n".join([*map(str.rstrip, lines), "", "Nothing to do."])
    on_gpu, on_cpu = estimates[estimates["gpu"] > 0], estimates[estimates["gpu"] == 0]
    on_cpu = on_cpu.assign(**{end: on_cpu[end] * on_cpu["threads"] for end in ("low", "high")})
    rules = ", ".join(on_gpu["rule"].unique())
    lines += [
        "",
        _folded("GPU-hours", f"{total(on_gpu, hours)} ({rules or 'no job to do asks for one'})"),
        _folded("CPU-hours", f"{total(on_cpu, hours)} (all others)"),
    ]
    timed = estimates[estimates["high"].notna()]
    for source, part in timed.groupby("source", sort=False):
        where = f"{source} ({device(source)})" if device(source) else source
        lines.append(_folded("timed in", f"{where}: {', '.join(part['kind'].unique())}"))
    unknown = estimates.loc[estimates["high"].isna(), "kind"].unique()
    if len(unknown):
        told = "anything" if timed.empty else ", ".join(unknown)
        lines.append(_folded("unknown", f"no benchmark of this model times {told}"))
    return "\n".join(line.rstrip() for line in lines)


def disk_text(files: pd.DataFrame, estimates: pd.DataFrame, free: int) -> str:
    """The table of what lies on disk by stage, now and at the end.

    files: all that stay; estimates: of those to be made; free: bytes left on the disk.
    """
    done = files[files["why"] == ""].fillna({"amount": 0})  # what nobody misses is not made again
    done = done.assign(low=done["amount"], high=done["amount"], source="")
    after = pd.concat([frame for frame in (done, estimates) if len(frame)])
    now_in, after_in = (_stage(frame["kind"]) for frame in (files, after))
    lines = [f"{'on disk':<16}{'now':>14}{'in the end':>22}   from"]
    for stage in [*SHOWN, REST]:
        part = after[after_in == stage]
        if len(part):
            now = size(files.loc[now_in == stage, "amount"].sum())
            known = part.loc[part["high"].notna() & (part["source"] != ""), "source"].unique()
            lines.append(f"{stage:<16}{now:>14}{total(part, size):>22}   {', '.join(known)}")
    now = files["amount"].sum()
    lines.append(f"{'in all':<16}{size(now):>14}{total(after, size):>22}   {size(free)} are free")
    if after["low"].sum() - now > free:
        lines += ["", "This does not fit on the disk."]
    elif after["high"].sum() - now > free:
        lines += ["", "This may not fit on the disk."]
    return "\n".join(line.rstrip() for line in lines)


def _stage(kinds: pd.Series) -> pd.Series:
    stages = kinds.str.split().str[0]
    return stages.where(stages.isin(SHOWN), REST)
