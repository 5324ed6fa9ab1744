"""What each trained eraser needs of memory: its peak while it trains, of a GPU or of this machine.

    python benchmarks/memory.py MODEL --device cuda --study config/sd15-erasers.yaml --only esd-x

MODEL: a pipeline's directory; the bundled one, if none is said. A study's settings are taken but
for what makes it long: two steps are taken, and no more pictures drawn than a batch has. Each
eraser has a process of its own. Of a GPU the peak is what torch has allocated from the first step
on, of a CPU the process's largest resident set, drawing and torch itself (*idle*) among it.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase import ERASERS
from regrowth.learn.loop import train
from regrowth.learn.pictures import material, shown
from regrowth.learn.recipes import RECIPES, resolved

ROOT = Path(__file__).resolve().parents[1]
PAIRS = [("an image of a candle", "an image of a church"), ("a racket", "a church in a park")]
#: Counts that take time and no memory.
SHORT = {"steps": 2, "warmup": 1, "refresh": 1, "times": 1, "trainings": 2, "length": 1}
SAMPLER = {"steps": 2, "guidance": 2.0}


def settings(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """A recipe's settings as a study says them, and short. Losses are weighed as they would be."""
    form = ERASERS[name].settings.held
    told = form(**said).of("object") | {"kind": name}
    told |= {key: value for key, value in SHORT.items() if key in told}
    return resolved(RECIPES[name], told) | {"pictures": told["batch"]}


def measured(model: Path, device: str, name: str, said: dict[str, Any]) -> dict[str, Any]:
    """Gigabytes, in this process."""
    pipe, recipe = load_pipeline(model, "float32", device), RECIPES[name]
    told = settings(name, said)
    idle = _peak(device)
    how = PAIRS, told["batch"], *SAMPLER.values(), told["batch"]
    held = material(pipe, recipe, lambda of: shown(pipe, of, *how))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    train(pipe, recipe, held, told)
    row = {"eraser": name, "batch": told["batch"], "dtype": told["dtype"]}
    row |= {"checkpointing": told["gradient_checkpointing"]}
    return row | {"peak": _peak(device), "idle": idle}


def _peak(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def table(model: Path, device: str, study: Path | None, names: list[str]) -> pd.DataFrame:
    """A row an eraser, each from a process of its own; what goes wrong stands in its row."""
    said = yaml.safe_load(study.read_text(encoding="utf-8")).get("erasers", {}) if study else {}
    rows = []
    for name in names:
        own = json.dumps(said.get(name, {}))
        run = [sys.executable, __file__, str(model), "--device", device, "--one", name, own]
        done = subprocess.run(run, capture_output=True, text=True)
        last = (done.stdout.splitlines() or [""])[-1]
        why = (done.stderr.splitlines() or ["no word"])[-1]
        rows.append({"eraser": name, "why": why} if done.returncode else json.loads(last))
        print(rows[-1], file=sys.stderr)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Memory that each trained eraser needs, in GB.")
    parser.add_argument("model", type=Path, nargs="?", default=ROOT / "resources/demo/model")
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--study", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        name, said = asked.one
        print(json.dumps(measured(asked.model, asked.device, name, json.loads(said))))
    else:
        found = table(asked.model, asked.device, asked.study, asked.only)
        print(found.to_markdown(index=False, floatfmt=".2f"))
