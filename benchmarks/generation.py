"""How many pictures a second are drawn in batches, and one prompt at a time; how close they are.

Alone: python benchmarks/generation.py [MODEL] [--pictures N]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from regrowth.draw.pipeline import generators, load_pipeline, noise, pictures
from speed import machine, table

MODEL = Path(__file__).resolve().parents[1] / "resources" / "demo" / "model"
CLASSES = ("church", "candle", "golf ball", "parachute", "starfish", "school bus", "racket", "cat")
BATCHES = (1, 2, 4, 8, 16, 32)
LOOP = "one prompt at a time"
#: As in rules/common.smk; glibc reads them where a process starts.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}


def loop(pipe, rows: list[dict], steps: int, guidance: float) -> list:
    """What batches are held against: a call of the pipeline for each prompt."""
    return [
        pipe(
            prompt=row["prompt"],
            latents=noise(pipe, generators([row["seed"]])),
            num_inference_steps=steps,
            guidance_scale=guidance,
        ).images[0]
        for row in rows
    ]


def measure(pipe, rows: list[dict], steps: int, guidance: float, rounds: int):
    """Seconds of each way, one a round, the ways taking turns; and each way's pictures, uint8."""
    ways = {LOOP: lambda some: loop(pipe, some, steps, guidance)}
    for batch in (b for b in BATCHES if b <= len(rows)):
        ways[batch] = lambda some, b=batch: list(pictures(pipe, some, steps, guidance, b))
    for batch, draw in ways.items():  # what the first call of a shape costs
        draw(rows[: 1 if batch == LOOP else batch])
    seconds, drawn = {way: [] for way in ways}, {}
    for turn in range(rounds):
        for way in list(ways)[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            made = ways[way](rows)
            seconds[way].append(time.perf_counter() - start)
            drawn[way] = np.stack([np.asarray(picture) for picture in made])
        print(f"{pipe.device}: round {turn + 1} of {rounds}", file=sys.stderr)
    return seconds, drawn


def ways_table(seconds: dict, drawn: dict) -> pd.DataFrame:
    """Medians over rounds with their range; a round's times are held against its own loop."""
    rows, alone = [], np.array(seconds[LOOP])
    for way, taken in seconds.items():
        pace, gain = len(drawn[way]) / np.array(taken), alone / taken
        apart = np.abs(drawn[way].astype(int) - drawn[LOOP])
        rows.append(
            {
                "batch": str(way),
                "pictures a second": _middle(pace),
                "times the loop": _middle(gain),
                "largest difference": str(apart.max()),
                "mean difference": f"{apart.mean():.2g}",
                "identical pixels": f"{(apart == 0).all(-1).mean():.2%}",
            }
        )
    return pd.DataFrame(rows)


def _middle(values: np.ndarray) -> str:
    return f"{np.median(values):.3g} ({values.min():.3g} to {values.max():.3g})"


def report(model: Path, devices: list[str], n: int, rounds: int, steps: int, guidance: float):
    """One paragraph and table a device; a GPU computes in float16, a CPU on two threads."""
    torch.set_num_threads(2)
    rows = [{"prompt": f"an image of a {CLASSES[i % 8]}", "seed": i} for i in range(n)]
    for device in devices:
        dtype, before = "float32" if device == "cpu" else "float16", os.getloadavg()[0]
        pipe = load_pipeline(model, dtype, device)
        seconds, drawn = measure(pipe, rows, steps, guidance, rounds)
        height, width = drawn[LOOP].shape[1:3]
        yield (
            f"{model.parent.name}/{model.name} on {device} ({machine()}), {dtype}: {n} pictures of "
            f"{height}×{width}, {steps} steps, guidance {guidance}. Medians (and ranges) of "
            f"{rounds} rounds; load average {before:.1f} before and {os.getloadavg()[0]:.1f} after."
        )
        yield table(ways_table(seconds, drawn))


def markdown() -> str:
    """In a process of its own, with the workflow's allocator."""
    done = subprocess.run([sys.executable, __file__], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    if not MALLOC.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | MALLOC)
    there = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=MODEL, help="default: the bundled")
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--device", choices=there, action="append", help="default: all there are")
    args = parser.parse_args()
    told = report(
        args.model.resolve(),
        args.device or there,
        args.pictures,
        args.rounds,
        args.steps,
        args.guidance,
    )
    print("\n\n".join(told))
