"""The part of each of a study's pictures, by what is to be forgotten."""

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from regrowth.classify import SOURCES, shadows
from regrowth.classify.data import Pictures
from regrowth.classify.split import check, forget_classes, forget_samples, split
from regrowth.files import keys


def parts(
    pictures: Pictures,
    data: Mapping[str, Any],
    what: Mapping[str, Any] | None,
    name: str,
    of: str,
) -> np.ndarray:
    """By name, for each picture. data: `study.Data`. what: `study.Samples`, `study.Classes`, or
    None for the original; name: what the study calls it. of: the split, or a shadow of one. Raises
    ValueError where the study asks for what is not there."""
    seed, shadow = shadows.told(of)
    there = pictures.train, len(pictures.labels) - pictures.train
    sizes = data["train"], data["test"]
    for n, asked, which in zip(there, sizes, ("train", "test")):
        if asked and asked > n:
            raise ValueError(f"data.{which}: {asked} pictures are asked for, and there are {n}")
    before = split(pictures.labels, pictures.train, seed, sizes, data["validation"])
    after = before
    if what is not None:
        try:
            after = _forgotten(pictures, data["kind"], what, name, seed, before)
        except ValueError as error:
            raise ValueError(f"forget.{name}: {error}") from None
        check(before, after)
    return after if shadow is None else shadows.parts(before, after, seed, shadow)


def _forgotten(pictures, kind: str, what: Mapping[str, Any], name: str, seed: int, before):
    if what["kind"] == "samples":
        n = what["number"] or round(what["share"] * int((before == "retain").sum()))
        return forget_samples(before, n, name, seed)
    n = int(pictures.labels.max()) + 1
    if (first := what.get("first")) and first > n:
        raise ValueError(f"the first {first} classes are asked for, and there are {n}")
    names = pictures.names or SOURCES[kind].classes
    classes = list(range(first)) if first else numbers(what["classes"], names, n, pictures.names)
    return forget_classes(before, pictures.labels, classes)


def numbers(named: list, names: tuple[str, ...], n: int, alone: Any = False) -> list[int]:
    """Classes by number, given by name or number. n: how many there are. alone: by name alone,
    since a folder's may be the number of another."""
    names = tuple(map(keys.slug, names)) or tuple(map(str, range(n)))
    known = {name: i for i, name in enumerate(names)}
    known |= {} if alone else {str(i): i for i in range(n)}
    slugs = [keys.slug(str(name)) for name in named]
    for slug in slugs:
        if slug not in known:
            near = difflib.get_close_matches(slug, names, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no class {slug!r}; {hint}known: {', '.join(names)}")
    return [known[slug] for slug in slugs]


def frame(pictures: Pictures, found: np.ndarray) -> pd.DataFrame:
    """One row a picture that is used: its place among all, its class, its part."""
    used = np.flatnonzero(found != "unused")
    told = {"picture": used, "class": pictures.labels[used], "part": found[used].astype(str)}
    return pd.DataFrame(told)


def placed(rows: pd.DataFrame, places: np.ndarray) -> np.ndarray:
    """The inverse of `frame`: the part of the picture at each place."""
    part = rows.set_index("picture")["part"].astype(object)
    return part.reindex(places, fill_value="unused").to_numpy()
