"""Detector: how likely one thing is in a picture, by one output of a classifier."""

from pathlib import Path

from regrowth.judge import mistakes as wrong
from regrowth.judge.settings import Judge


def score(judge: Judge, root: Path, images, rows, device: str):
    """The entry's label and that label's probability."""
    from regrowth.judge.networks import probabilities, row

    p, names = probabilities(judge, root, images, device)
    at = next(i for i, name in names.items() if name == judge.label)
    return [row(i, judge.label, p[i, at]) for i in range(len(images))]


def mistakes(judge: Judge, root: Path) -> list[str]:
    names, told = wrong.of_labels(judge, root)
    if not told and judge.label not in names.values():
        told = [f"label {judge.label!r} is not one of: {', '.join(names.values())}"]
    return told or wrong.of_weights(judge, root)
