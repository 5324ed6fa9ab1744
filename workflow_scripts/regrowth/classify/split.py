"""Who learns which picture. Drawn once a split, by a stream that no training shares, so that all
models of a split, the original too, agree on it."""

from collections.abc import Iterable

import numpy as np

#: What a picture is for. away: a test of what was forgotten, which no figure counts.
PARTS = ("forget", "retain", "validation", "test", "away", "unused")


def stream(purpose: str, seed: int) -> np.random.Generator:
    """What is drawn for one purpose by one seed: "split", "forget", a training."""
    return np.random.default_rng([seed, *purpose.encode()])


def number(purpose: str, seed: int) -> int:
    """The same as a seed for torch."""
    return int(stream(purpose, seed).integers(2**62))


def split(
    labels: np.ndarray, train: int, seed: int, sizes: tuple[int | None, int | None], held_out: float
) -> np.ndarray:
    """The part of each picture before anything is forgotten, by name.

    train: how many of the pictures are for training. sizes: how many are used of these, and of the
    others; None: all. held_out: the share of each class's used training pictures that is the
    validation's.
    """
    draws, parts = stream("split", seed), np.full(len(labels), "unused", dtype=object)
    for first, last, size, name in (
        (0, train, sizes[0], "retain"),
        (train, len(labels), sizes[1], "test"),
    ):
        order = first + draws.permutation(last - first)
        parts[order[:size]] = name
    for label in np.unique(labels):
        own = np.flatnonzero((parts == "retain") & (labels == label))
        parts[draws.permutation(own)[: round(held_out * len(own))]] = "validation"
    return parts


def forget_samples(parts: np.ndarray, n: int, name: str, seed: int) -> np.ndarray:
    """So many of the training pictures. Raises ValueError if that leaves none."""
    own = np.flatnonzero(parts == "retain")
    if n >= len(own):
        raise ValueError(f"{n} of {len(own)} training pictures cannot be forgotten")
    out = parts.copy()
    out[stream(f"forget {name}", seed).permutation(own)[:n]] = "forget"
    return out


def forget_classes(parts: np.ndarray, labels: np.ndarray, classes: Iterable[int]) -> np.ndarray:
    """Every training picture of some classes; of the others' tests they are no part."""
    own, out = np.isin(labels, list(classes)), parts.copy()
    out[own & (parts == "retain")] = "forget"
    out[own & np.isin(parts, ("validation", "test"))] = "away"
    if not (out == "forget").any() or not (out == "retain").any():
        raise ValueError("the classes to forget have no training picture, or the others have none")
    return out


def check(before: np.ndarray, after: np.ndarray) -> None:
    """Raises ValueError unless what is forgotten and kept is what the original learnt, picture by
    picture, and nothing of the rest became a training's."""
    learnt = before == "retain"
    if not ((after == "forget") | (after == "retain"))[learnt].all():
        raise ValueError("a picture that the original learnt is neither forgotten nor kept")
    if np.isin(after, ("forget", "retain"))[~learnt].any():
        raise ValueError("a picture that the original never saw is forgotten or kept")
