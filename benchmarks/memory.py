"""What each trained eraser needs of memory: its peak while it trains, of a GPU or of this machine.

    python benchmarks/memory.py MODEL --device cuda --study config/sd15-erasers.yaml --only esd-x
    python benchmarks/memory.py --device meta --study config/sd15-erasers.yaml

MODEL: a pipeline's directory; the bundled one, if none is said. A study's settings are taken but
for what makes it long: two steps are taken, and no more pictures drawn than a batch has. Each
eraser has a process of its own. Of a GPU the peak is what torch has allocated from the first step
on, of a CPU the process's largest resident set, drawing and torch itself (*idle*) among it.

On the device `meta` nothing is computed and no weight is read: SD-v1.5's layout trains in single
precision, and the bytes are counted of all tensors that would be there at once. A GPU needs
somewhat more, for what its libraries work in, and between what it has allocated. There the two
masks of gradients are counted as well (`--only salun scissorhands`).
"""

import argparse
import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import meta
import pandas as pd
import torch
import yaml
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase import ERASERS
from regrowth.learn.gradients import BATCH, gradients
from regrowth.learn.loop import train
from regrowth.learn.pictures import Pictures, material, shown
from regrowth.learn.recipes import RECIPES, resolved
from regrowth.models import LAYERS

ROOT = Path(__file__).resolve().parents[1]
PAIRS = [("an image of a candle", "an image of a church"), ("a racket", "a church in a park")]
#: Counts that take time and no memory.
SHORT = {"steps": 2, "warmup": 1, "refresh": 1, "length": 1}
SAMPLER = {"steps": 2, "guidance": 2.0}
#: The masks that gradients choose, by the loss that they are the gradients of.
MASKS = {"salun": "guided", "scissorhands": "noise"}


def settings(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """A recipe's settings as a study says them, and short. Losses are weighed as they would be."""
    form = ERASERS[name].settings.held
    told = form(**said).of("object") | {"kind": name}
    told |= {key: value for key, value in SHORT.items() if key in told}
    return resolved(RECIPES[name], told) | {"pictures": told["batch"]}


def counted(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """Gigabytes of SD-v1.5's layout, where nothing is computed."""
    pipe = meta.sd15()
    told = {"batch": BATCH} if name in MASKS else settings(name, said)
    n = told["batch"]

    def drawn(of: str) -> Pictures:
        base, target = zip(*PAIRS)
        latents = torch.empty(n, 4, 64, 64, device="meta")
        steps = torch.empty(n, dtype=torch.long, device="meta") if of == "states" else None
        prompts = [(base if of == "base" else target)[i % 2] for i in range(n)]
        return Pictures(latents, prompts, steps)

    def use() -> None:
        if name in MASKS:
            names = [n for n, _ in pipe.unet.named_parameters()]
            attacked = [n for n in names if re.search(LAYERS["ffn2"].pattern, n)]
            concept = drawn("target")
            gradients(pipe, concept.latents, concept.prompts, attacked, MASKS[name])
        else:
            train(pipe, RECIPES[name], material(pipe, RECIPES[name], drawn), told)

    most, own = meta.peak(pipe, use)
    return {"eraser": name, "batch": n, "peak": most / 1e9, "idle": own / 1e9}


def measured(model: Path, device: str, name: str, said: dict[str, Any]) -> dict[str, Any]:
    """Gigabytes, in this process."""
    if device == "meta":
        return counted(name, said)
    pipe, recipe = load_pipeline(model, "float32", device), RECIPES[name]
    told = settings(name, said)
    idle = _peak(device)
    how = PAIRS, told["batch"], *SAMPLER.values(), told["batch"]
    held = material(pipe, recipe, lambda of: shown(pipe, of, *how))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    train(pipe, recipe, held, told)
    row = {"eraser": name, "batch": told["batch"], "dtype": told["dtype"]}
    return row | {"peak": _peak(device), "idle": idle}


def _peak(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def table(
    model: Path, device: str, study: Path | None, names: list[str], more: dict[str, Any]
) -> pd.DataFrame:
    """A row an eraser, each from a process of its own; what goes wrong stands in its row. more:
    settings that go before the study's."""
    said = yaml.safe_load(study.read_text(encoding="utf-8")).get("erasers", {}) if study else {}
    rows = []
    for name in names:
        own = json.dumps(said.get(name, {}) | more)
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
    parser.add_argument("--only", nargs="+", choices=[*RECIPES, *MASKS], default=list(RECIPES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--study", type=Path)
    parser.add_argument("--checkpointing", action="store_true", help="gradient_checkpointing")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        name, said = asked.one
        print(json.dumps(measured(asked.model, asked.device, name, json.loads(said))))
    else:
        more = {"gradient_checkpointing": True} if asked.checkpointing else {}
        more |= {"batch": asked.batch} if asked.batch else {}
        found = table(asked.model, asked.device, asked.study, asked.only, more)
        print(found.to_markdown(index=False, floatfmt=".2f"))
