"""The way in: what a judge says of pictures."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from regrowth.files import images as images_of
from regrowth.judge import JUDGES
from regrowth.judge.settings import Judge

log = logging.getLogger(__name__)
Rows = list[dict]
IN_MEMORY = 256


def score(judge: Judge, root: Path, images: list[Image.Image], rows: Rows, device: str) -> Rows:
    """One dict per image (NudeNet: per detection): index, label, score, and features or None, as
    the judge's kind says. rows: prompt and class of each image. Raises ValueError where a score is
    not finite: nothing is recognised in such a picture, and nothing is not.
    """
    return JUDGES[judge.kind].score(judge, root, images, rows, device)


def hits(judge: Judge, root: Path, images: list[Image.Image], rows: Rows, device: str) -> int:
    """In how many pictures it sees their class, as `JudgeKind.by` says."""
    scored = score(judge, root, images, rows, device)
    if JUDGES[judge.kind].by == "top":
        return sum(told["label"] == row["class"] for told, row in zip(scored, rows))
    return sum(told["score"] >= judge.threshold for told in scored)


def features(judge: Judge, root: Path, images: list[Image.Image], device: str) -> np.ndarray:
    """float32 (n, width): what FID compares."""
    vectors = JUDGES[judge.kind].vectors
    if vectors is None:
        raise ValueError(f"a judge of kind {judge.kind} gives no features")
    return vectors(judge, root, images, device)


def score_shards(shards: Iterable, judge: Judge, sets: set[str], root: Path, device: str):
    """A judge on every picture of `shards` (frames with an `image` column) of the prompt sets that
    it is to see. Returns a frame: prompt_set, class, prompt, seed, label, score, features."""
    frames = []
    for shard in shards:
        shard = shard[shard["prompt_set"].isin(sets)]
        for at in range(0, len(shard), IN_MEMORY):
            some = shard.iloc[at : at + IN_MEMORY].reset_index(drop=True)
            about = some[["prompt_set", "class", "prompt", "seed"]]
            images = [images_of.decode(cell) for cell in some["image"]]
            scored = pd.DataFrame(score(judge, root, images, about.to_dict("records"), device))
            log.info("%d pictures", len(images))
            told = about.iloc[scored["index"]].reset_index(drop=True)
            frames.append(told.join(scored.drop(columns="index")))
    return pd.concat(frames, ignore_index=True)
