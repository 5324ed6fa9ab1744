"""Prompt sets: which pictures are made for a concept, and which pairs of prompts calibrate it.

A set is a disjoint piece of what there is to draw, and the pretrained model draws each once:

- a family's name: every class with its first `images.preserved` pictures;
- a concept's name: its own class from there up to `images.erased`;
- "family.concept": of the family's set, the concept's own class alone;
- a prompt set's name: all of it.

A variant draws a *bundle* of sets ("objects+church") in one cell, and each prompt set in a cell of
its own.
"""

import math
import re
from pathlib import Path

from regrowth.files import keys
from regrowth.study import prompt_tables
from regrowth.study.catalogue import Calibration, Catalogue, Family, PromptSet, concepts_of

Row = dict[str, str | int]
ALL = ("erased", "preserved")
#: What every form may ask for.
WORDS = ("name", "a_name")
PLACEHOLDER = re.compile(r"{([A-Za-z][A-Za-z0-9_]*)}")


def with_article(noun: str) -> str:
    return ("an " if noun[0].lower() in "aeiou" else "a ") + noun


def filled(form: str, words: dict[str, str]) -> str:
    """A form with its placeholders replaced, and nothing else: "{name}" alone has a meaning."""
    return PLACEHOLDER.sub(lambda m: words.get(m[1], m[0]), form)


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
        some = prompt_tables.of_class(family, name, root).iloc[first:last]
        return _table_rows(some, family.seed, name, first)
    special = family.special.get(name)
    forms = (special and special.prompts) or family.prompts
    return [
        {
            "prompt": filled(forms[i % len(forms)], _words(name, family.fill, i)),
            "class": name,
            "seed": i if family.seed is None else family.seed,
        }
        for i in range(first, last if forms else first)
    ]


def _table_rows(table, seed: int | None, name: str, first: int) -> list[Row]:
    seeds = table["seed"] if "seed" in table else range(first, first + len(table))
    return [
        {"prompt": p, "class": name, "seed": int(s) if seed is None else seed}
        for p, s in zip(table["prompt"], seeds)
    ]


def prompt_set_rows(entry: PromptSet, root: Path) -> list[Row]:
    """The rows of a prompt set; it has no classes."""
    if entry.file:
        return _table_rows(prompt_tables.read(entry, root).iloc[: entry.images], entry.seed, "", 0)
    n, forms = entry.images or len(entry.prompts), entry.prompts
    return [
        {
            "prompt": forms[i % len(forms)],
            "class": "",
            "seed": i if entry.seed is None else entry.seed,
        }
        for i in range(n)
    ]


def family_of(catalogue: Catalogue, name: str) -> str | None:
    """The family that a set belongs to; None for a prompt set."""
    if name in catalogue.prompt_sets:
        return None
    families = {keys.slug(f): f for f in catalogue.families}
    return families.get(name.split(".")[0]) or concepts_of(catalogue)[name][0]


def source_of(catalogue: Catalogue, name: str) -> Family | PromptSet:
    """Where the set `name` has its prompts and judges from."""
    family = family_of(catalogue, name)
    return catalogue.prompt_sets[name] if family is None else catalogue.families[family]


def bundles_of(
    study, catalogue: Catalogue, concept: str, wanted: tuple[str, ...], root: Path = Path()
) -> list[str]:
    """The bundles that judge a concept. wanted: "erased", "preserved", prompt sets; none: all."""
    family, _ = concepts_of(catalogue)[concept]
    entry = catalogue.families[family]
    wanted = wanted or (*ALL, *entry.also)
    shared = entry.preserved or family
    bundle = []
    if "preserved" in wanted and catalogue.families[shared].drawn:
        bundle.append(keys.slug(shared))
    if "erased" in wanted and entry.drawn:
        if shared == family and not bundle:
            bundle.append(f"{keys.slug(family)}.{concept}")
        if shared != family or _goes_on(study, catalogue, concept, root):
            bundle.append(concept)
    extra = [name for name in entry.also if name in wanted]
    return ["+".join(bundle), *extra] if bundle else extra


def _goes_on(study, catalogue: Catalogue, concept: str, root: Path) -> bool:
    """Whether a class has pictures beyond those that its family's set draws; a table may not."""
    if study.images.erased <= study.images.preserved:
        return False
    entry = source_of(catalogue, concept)
    if not entry.file and entry.seed is None:
        return True  # every seed is another picture
    try:
        return bool(set_rows(study, catalogue, concept, root))
    except (OSError, ValueError):
        return True  # `checks` tells what is wrong with the table


def pretrained_sets(bundles: list[str]) -> list[str]:
    """Every set of the bundles once, a family's before any piece of it."""
    sets = list(dict.fromkeys(s for bundle in bundles for s in bundle.split("+")))
    return [s for s in sets if "." not in s or s.split(".")[0] not in sets]


def concerns(cell: dict[str, str], concept: str, sets: list[str]) -> bool:
    """Whether a cell's pictures judge a concept: they are of its variants, or of a model as it is
    on one of its sets, or on more of the same family. cell: concept and prompts."""
    shared = cell["concept"] == keys.NONE
    asked = {name.split(".")[0] for name in sets}
    return cell["concept"] == concept or (shared and cell["prompts"].split(".")[0] in asked)


def sets_used(study, catalogue: Catalogue, root: Path) -> list[str]:
    """Every set that some block of the sweep draws."""
    bundles = [
        bundle
        for block in study.sweep
        for concept in map(keys.slug, block.concepts)
        for bundle in bundles_of(study, catalogue, concept, tuple(block.prompts), root)
    ]
    return pretrained_sets(bundles)


def set_rows(study, catalogue: Catalogue, name: str, root: Path) -> list[Row]:
    """The rows of one set: prompt, class, seed and prompt_set (a piece bears its family's name).

    What is there twice, prompt and seed, is drawn once: it is the same picture. So is what a class
    has among its first `images.preserved`.
    """
    each, entry = study.images.preserved, source_of(catalogue, name)
    if isinstance(entry, PromptSet):
        rows = prompt_set_rows(entry, root)
    elif name in (slugs := {keys.slug(c): c for c in entry.classes}):
        first = 0 if entry.preserved else each
        rows = class_rows(entry, slugs[name], first, study.images.erased, root)
        drawn = {tuple(r.values()) for r in class_rows(entry, slugs[name], 0, first, root)}
        rows = [row for row in rows if tuple(row.values()) not in drawn]
    else:
        _, _, only = name.partition(".")
        classes = [c for c in entry.classes if only in ("", keys.slug(c))]
        rows = [r for c in classes for r in class_rows(entry, c, 0, each, root)]
    rows = [row | {"prompt_set": name.split(".")[0]} for row in rows]
    return list({tuple(row.values()): row for row in rows}.values())


def bundle_rows(study, catalogue: Catalogue, bundle: str, root: Path) -> list[Row]:
    """The rows of several sets ("objects+church"), in that order."""
    return [r for name in bundle.split("+") for r in set_rows(study, catalogue, name, root)]


def judges_of(catalogue: Catalogue, bundle: str) -> list[str]:
    """Every judge that looks at some picture of the bundle."""
    names = (j for s in bundle.split("+") for j in source_of(catalogue, s).judges)
    return list(dict.fromkeys(names))


def shard_count(n_rows: int, shard: int) -> int:
    return max(1, math.ceil(n_rows / shard))


def is_unsafe(catalogue: Catalogue, bundle: str) -> bool:
    """Whether any set of the bundle is unsafe."""
    return any(source_of(catalogue, name).unsafe for name in bundle.split("+"))


def shows(catalogue: Catalogue, bundle: str) -> list[str]:
    """The bundle's prompt sets whose pictures are the concept's, though they have no class."""
    asked = {name: catalogue.prompt_sets.get(name) for name in bundle.split("+")}
    return [name for name, own in asked.items() if own and own.role == "erased"]


def calibration_pairs(family: Family, name: str) -> list[tuple[str, str]]:
    """(base, target) prompts, one pair for each value of the longest list they ask for.

    The concept itself is left out of the lists, so a base of other things never names it. Raises
    ValueError if nothing else is in one.
    """
    special = family.special.get(name)
    told = (special and special.calibration) or family.calibration
    return [pair for forms in _paired(told) for pair in _filled(*forms, family.fill, name)]


def _paired(told: Calibration) -> list[tuple[str, str]]:
    sides = [f if isinstance(f, list) else [f] for f in (told.base, told.target)]
    return list(zip(*sides))


def _filled(base: str, target: str, fill: dict[str, list[str]], name: str):
    used = {
        key: [value for value in values if keys.slug(value) != keys.slug(name)]
        for key, values in fill.items()
        if f"{{{key}}}" in base + target or f"{{a_{key}}}" in base + target
    }
    for key, values in used.items():
        if not values:
            raise ValueError(f"calibration: of {name!r}, fill.{key} has no other word")
    for i in range(max((len(v) for v in used.values()), default=1)):
        words = {"name": name, "a_name": with_article(name)} | _words(name, used, i)
        yield filled(base, words), filled(target, words)
