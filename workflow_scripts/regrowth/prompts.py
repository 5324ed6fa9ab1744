"""Prompt sets: which pictures are made for a concept, and which pairs of prompts calibrate it.

A family's own set holds every class with the first `images.preserved` seeds. A concept's set holds
the seeds from there up to `images.erased` of its own class. The two never overlap, so a concept is
judged on both, and the pretrained model draws each set once for all concepts.
"""

import csv
import math
from pathlib import Path

from regrowth import keys
from regrowth.config import Catalogue, Family, Study, concepts_of

Row = dict[str, str | int]


def with_article(noun: str) -> str:
    return ("an " if noun[0].lower() in "aeiou" else "a ") + noun


def _words(name: str, fill: dict[str, list[str]], i: int) -> dict[str, str]:
    """What a form's placeholders stand for in picture i; each list turns at its own pace."""
    words = {"name": name, "a_name": with_article(name)}
    turn = i
    for key, values in fill.items():
        words[key] = values[turn % len(values)]
        words[f"a_{key}"] = with_article(words[key])
        turn = turn * 5 + 1
    return words


def class_rows(family: Family, name: str, first: int, last: int, root: Path) -> list[Row]:
    """Rows `first` to `last` (exclusive) of one class: prompt, class and seed."""
    if family.file:
        with open(root / family.file, newline="") as lines:
            rows = [r for r in csv.DictReader(lines) if r["class"] == name]
        return [
            {"prompt": r["prompt"], "class": name, "seed": int(r["seed"])} for r in rows[first:last]
        ]
    return [
        {
            "prompt": family.prompts[i % len(family.prompts)].format(
                **_words(name, family.fill, i)
            ),
            "class": name,
            "seed": i,
        }
        for i in range(first, last)
    ]


def sets_of(study: Study, catalogue: Catalogue, concept: str) -> list[str]:
    """The prompt sets that judge a concept: its family's (or the preserved one's) and its own."""
    family, _ = concepts_of(catalogue)[concept]
    shared = catalogue.families[family].preserved or family
    alone = shared != family or study.images.erased > study.images.preserved
    return [keys.slug(shared), concept] if alone else [keys.slug(shared)]


def set_rows(study: Study, catalogue: Catalogue, name: str, root: Path) -> list[Row]:
    """The rows of one prompt set, with the set's and the family's name in each."""
    families = {keys.slug(f): f for f in catalogue.families}
    each = study.images.preserved
    if name in families:
        family = families[name]
        entry = catalogue.families[family]
        rows = [r for c in entry.classes for r in class_rows(entry, c, 0, each, root)]
    else:
        family, cls = concepts_of(catalogue)[name]
        entry = catalogue.families[family]
        first = 0 if entry.preserved else each
        rows = class_rows(entry, cls, first, study.images.erased, root)
    return [row | {"prompt_set": name, "family": family} for row in rows]


def bundle_rows(study: Study, catalogue: Catalogue, bundle: str, root: Path) -> list[Row]:
    """The rows of several sets ("objects+church"), in that order."""
    return [r for name in bundle.split("+") for r in set_rows(study, catalogue, name, root)]


def shard_count(n_rows: int, shard: int) -> int:
    return max(1, math.ceil(n_rows / shard))


def is_unsafe(catalogue: Catalogue, bundle: str) -> bool:
    """Whether any set of the bundle belongs to an unsafe family."""
    families = {keys.slug(f): e for f, e in catalogue.families.items()}
    concepts = {c: catalogue.families[f] for c, (f, _) in concepts_of(catalogue).items()}
    return any((families | concepts)[name].unsafe for name in bundle.split("+"))


def calibration_pairs(family: Family, name: str) -> list[tuple[str, str]]:
    """(base, target) prompts, one pair for each value of the longest list they ask for.

    The concept itself is left out of the lists, so a base of other things never names it.
    """
    forms = family.calibration.base + family.calibration.target
    used = {
        key: [value for value in values if value != name]
        for key, values in family.fill.items()
        if f"{{{key}}}" in forms or f"{{a_{key}}}" in forms
    }
    n = max((len(v) for v in used.values()), default=1)
    pairs = []
    for i in range(n):
        words = _words(name, used, i)
        words = {"name": name, "a_name": with_article(name)} | words
        pairs.append(
            (family.calibration.base.format(**words), family.calibration.target.format(**words))
        )
    return pairs
