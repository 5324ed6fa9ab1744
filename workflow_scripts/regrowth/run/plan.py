"""What a study will take: its pictures, its jobs and why they would run, hours and gigabytes."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.run.cost import BY_PICTURE, seconds_of, stored_as, timed_as
from regrowth.study import prompts, variants

WIDTH = 100
#: The stages that the table of files tells one by one.
SHOWN = ("masks", "released", "completed", "patches", *BY_PICTURE, "models", "regrown")
REST = "all others"


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
    judges = set(wildcards.get("judges", "").split("+"))
    n = sum(s["pictures"] for s in some if "judges" not in wildcards or judges & {*s["judges"]})
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


# What is printed


def cells_text(study: str, cells: list[dict], sets: dict[str, dict], jobs: pd.DataFrame) -> str:
    """The study's size: concepts, variants, prompt sets, pictures."""
    drawn = {tuple(c[key] for key in variants.KEYS): c for c in cells}
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
        _folded("variants", _counted(map(_kind_of, drawn.values()))),
        _folded("prompts", ", ".join(f"{name} {s['pictures']:,}" for name, s in sets.items())),
        _folded("pictures", pictures),
    ]
    return "\n".join(line.rstrip() for line in lines)


def models_text(study, cells: Iterable, jobs: pd.DataFrame) -> str:
    """A study of classifiers' size. study: a `classify.study.Classifiers`; cells: its own."""
    cells = list(cells)
    attacked = sum(cell.attack != keys.NONE for cell in cells)
    splits, seeds = len(study.seeds.split), len(study.seeds.unlearn)
    lines = [
        f"Study {study.study}: {len(cells):,} models measured, {len(jobs):,} jobs",
        "",
        _folded("pictures", f"{study.data.kind}; splits: {splits:,}"),
        _folded("network", f"{study.network}, trained for {study.training.epochs:,} passes"),
        _folded("forgotten", f"{len(study.forget)}: {', '.join(study.forget)}"),
        _folded("unlearners", f"{', '.join(study.unlearners)}; runs of each a split: {seeds:,}"),
        _folded("attacked", f"{attacked:,} ({', '.join(study.attacks) or 'by nothing'})"),
    ]
    return "\n".join(lines)


def jobs_text(
    jobs: pd.DataFrame,
    estimates: pd.DataFrame,
    device: Callable[[str], str],
    stated: Mapping[str, float],
) -> str:
    """The table of jobs by rule, with the reasons; then the hours, and where they are from.

    jobs: all; estimates: of those to do; device: what a study of that name drew on; stated: of
    `cost.stated`.
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
    if stated:
        told = ", ".join(f"{gpu} {duration(seconds)}" for gpu, seconds in stated.items())
        lines.append(
            _folded("stated", f"drawing takes {told}, as others timed it; not measured here")
        )
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
