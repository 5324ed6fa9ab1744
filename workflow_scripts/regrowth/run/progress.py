"""What of a study is done, running, failed or waiting, and why a cell is not there.

What failed is read from the logs, which are nobody's output: a job that has a log and no output
has failed, and its last error is the reason.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from regrowth.classify import study as classifiers
from regrowth.run import driver, unsafe
from regrowth.study import variants
from regrowth.study.sweep import cell_of

STATES = ("done", "running", "failed", "waiting")
MISSING = [*variants.KEYS, "prompts", "judge", "reason"]
#: The rules whose files a study is measured by, and what these are called.
COUNTED = {"score": "score files", "membership": "measured models"}
SILENT = "ended without a word: killed, or out of memory or time"
SET_ASIDE = "what it made was damaged, and is set aside"


def last_word(log: Path, level: str = "[A-Z]+") -> str:
    """The last thing that a job's log says at a level, its first line; "" if there is none."""
    told = re.findall(
        rf"^\S+ \S+ {level} (.*)$", log.read_text(errors="replace", encoding="utf-8"), re.M
    )
    return told[-1] if told else ""


def states(records: Iterable[dict], driven: bool) -> pd.DataFrame:
    """A row for each job: rule, state (of STATES), reason (why it failed, or what it said last
    while it runs) and log.

    records: of `dag.records`; driven: whether a driver is at work, so that a job which has neither
    output nor error may still be running.
    """
    rows = []
    for record in records:
        state, reason, log = "waiting", "", record["log"] and Path(record["log"])
        there = any(Path(f).exists() for f in (*record["outputs"], *record["temporary"]))
        if not record["why"]:
            state = "done"
        elif not there and any(map(_set_aside, record["outputs"])):
            state, reason = "failed", SET_ASIDE
        elif not there and log and log.is_file():
            reason = last_word(log, "ERROR")
            state = "running" if driven and not reason else "failed"
            reason = reason or (SILENT if state == "failed" else last_word(log))
        rows.append({"rule": record["rule"], "state": state, "reason": reason, "log": str(log)})
    return pd.DataFrame(rows)


def _set_aside(file: str) -> bool:
    return Path(file).with_name(f".{Path(file).name}.damaged").exists()


def blamed(records: list[dict], told: pd.DataFrame) -> list[set[int]]:
    """For each job that is not done, the failed jobs that it waits for, itself included."""
    maker = {file: i for i, r in enumerate(records) for file in (*r["outputs"], *r["temporary"])}
    state = told["state"].tolist()
    found: dict[int, set[int]] = {}

    def of(i: int) -> set[int]:
        if i not in found:
            needed = {maker[file] for file in records[i]["inputs"] if file in maker}
            upstream = set().union(*(of(j) for j in needed if state[j] != "done"))
            found[i] = upstream | ({i} if state[i] == "failed" else set())
        return found[i]

    return [of(i) if state[i] != "done" else set() for i in range(len(records))]


def missing(records: list[dict], told: pd.DataFrame) -> pd.DataFrame:
    """The scores that are not there: the keys of each, and the reason. Columns MISSING; of a study
    of classifiers the models that are not measured, by `classify.study.KEYS`."""
    rows, columns = [], MISSING
    if any(record["rule"] == "membership" for record in records):
        columns = [*classifiers.KEYS, "reason"]
    for record, state, failed in zip(records, told["state"], blamed(records, told)):
        if record["rule"] not in COUNTED or state == "done":
            continue
        reasons = [f"{told['rule'][i]}: {told['reason'][i]}" for i in sorted(failed)]
        own, reason = record["wildcards"], {"reason": "; ".join(reasons) or state}
        if record["rule"] == "membership":
            rows.append(dict(own) | reason)
            continue
        rows += [cell_of(own) | reason | {"judge": name} for name in own["judges"].split("+")]
    return pd.DataFrame(rows, columns=columns)


def made(records: Iterable[dict]) -> list[str]:
    """The files that are there and as the study wants them."""
    return [file for record in records if not record["why"] for file in record["outputs"]]


def waited_for(records: list[dict]) -> set[Path]:
    """The temporary files that a job has yet to read."""
    needed = {file for record in records if record["why"] for file in record["inputs"]}
    return {Path(f) for record in records for f in record["temporary"] if f in needed}


def leftovers(records: list[dict], out: Path) -> list[Path]:
    """The files below `out` that no job of the study makes or waits for: of cells and shards it had
    before, cut off or damaged, and unsafe pictures that all of their judges have seen. What upkeep
    and the gallery leave, and models that were asked for by name, are not among them."""
    kept = waited_for(records) | {
        Path(file)
        for record in records
        for file in (*record["outputs"], *filter(None, (record["log"], record["benchmark"])))
    }
    upkeep = [out / name for name in ("partial", "gallery", unsafe.GALLERY, driver.FILE)]
    upkeep += [out / "checkpoints", out / "logs" / "checkpoint", out / "benchmarks" / "checkpoint"]
    upkeep += [*(out / "logs").glob("*.log"), *(out / "benchmarks").glob("*.tsv")]
    files = [file for file in sorted(out.rglob("*")) if file.is_file() and file not in kept]
    return [f for f in files if not any(f == u or u in f.parents for u in upkeep)]


def text(told: pd.DataFrame, driven: bool) -> str:
    """A table of jobs by rule and state, then what runs and what failed, each with its log."""
    order = list(dict.fromkeys(told["rule"]))
    counts = told.groupby(["rule", "state"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=order, columns=STATES, fill_value=0)
    counts.insert(0, "all", counts.sum(axis=1))
    counts.loc["in all"] = counts.sum()
    counts = counts if driven else counts.drop(columns="running")
    lines = [counts.rename_axis(index=None, columns=None).to_string()]
    for state in ("running", "failed"):
        named = told[told["state"] == state]
        lines += ["", f"{state.capitalize()}:"] if len(named) else []
        lines += [f"{r.rule}: {r.reason or 'begins'}\n    {r.log}" for r in named.itertuples()]
    return "\n".join(lines)


def coverage(told: pd.DataFrame) -> str:
    """One sentence: how many scores, or measured models, are there, of how many."""
    counted = told[told["rule"].isin(list(COUNTED))]
    count, what = Counter(counted["state"]), COUNTED[next(iter(counted["rule"]), "score")]
    return f"{count['done']} of {len(counted)} {what} are there"
