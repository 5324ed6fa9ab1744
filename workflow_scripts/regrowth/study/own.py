"""A concept of a user's own: a catalogue with its prompts and a judge, from a few words."""

from pathlib import Path

from pydantic import ValidationError
from regrowth.files import hub, keys
from regrowth.judge import JUDGES, labels
from regrowth.judge.settings import Judge
from regrowth.settings import lines
from regrowth.study import checks, prompt_tables
from regrowth.study.catalogue import Catalogue, Source
from regrowth.study.prompts import with_article
from regrowth.study.young import names_young

#: What its family and its prompts are called, and what a table of prompts ends in.
FAMILY, SET = "own concept", "own-prompts"
TABLES = (".csv", ".tsv", ".parquet", ".json")


def catalogue(
    known: Catalogue, concept: str, prompts: str, judge: str, pictures: int, root: Path
) -> Catalogue:
    """The catalogue of that concept alone.

    known: the one beside it, whose judges may look and whose objects are what it is told from.
    prompts: one, or the path of a table of them, which take turns. judge: see `_judge`. If it looks
    at nothing but unsafe pictures there, or the concept is unsafe there, so are these. Raises
    OSError or ValueError, for people.
    """
    rows, slug = _prompts(prompts), keys.slug(concept)
    if young := [text for text in (concept, *rows) if names_young(text)]:
        raise ValueError(f"{young[0]!r} {checks.YOUNG}")
    families = known.families.values()
    objects = [n for family in families if family.kind == "object" for n in family.classes]
    things = [thing for thing in objects if keys.slug(thing) != slug]
    name, looks = _judge(known, concept, judge, things, root)
    judged = [s for s in (*families, *known.prompt_sets.values()) if name in s.judges]
    unsafe = looks.kind == "nudenet" or (bool(judged) and all(s.unsafe for s in judged))
    unsafe = unsafe or any(f.unsafe and slug in map(keys.slug, f.classes) for f in families)
    family = {
        "kind": "prompts",
        "classes": [concept],
        "calibration": {
            "base": "a photo of {a_thing}" if things else "a photo",
            "target": "a photo of {a_name}",
        },
        "fill": {"thing": things} if things else {},
        "also": [SET],
    }
    drawn = {"prompts": rows, "role": "erased", "images": pictures, "unsafe": unsafe}
    raw = {
        "families": {FAMILY: family},
        "prompt_sets": {SET: drawn | {"judges": [name]}},
        "judges": {name: looks.model_dump(exclude_defaults=True)},
    }
    try:
        made = Catalogue.model_validate(raw)
    except ValidationError as error:
        raise ValueError("; ".join(lines(error, Catalogue, concept))) from None
    wrong = checks.catalogue_mistakes(made, concept) + JUDGES[looks.kind].mistakes(looks, root)
    if wrong:
        raise ValueError("; ".join(wrong))
    return made


def _prompts(told: str) -> list[str]:
    if not told.lower().endswith(TABLES):
        return [told]
    file = hub.expanded(told)
    if not Path(file).is_file():
        raise FileNotFoundError(hub.nowhere(file, Path.cwd()))
    table = prompt_tables.read(Source(file=file), Path.cwd())
    return list(dict.fromkeys(table["prompt"]))


def _judge(
    known: Catalogue, concept: str, told: str, things: list[str], root: Path
) -> tuple[str, Judge]:
    """A judge's name and entry. told: "nudenet", or one of the catalogue's: CLIP, which tells the
    concept's name from those of the things, or a classifier or detector, with the label that counts
    ("objects:church"), which is the concept's name if none is said."""
    name, _, label = told.partition(":")
    if name == "nudenet" and name not in known.judges:
        return name, Judge(kind="nudenet")
    if name not in known.judges:
        raise ValueError(f"judge={told}: " + checks.unknown("judge", name, list(known.judges)))
    looks = known.judges[name]
    where = {"model": looks.model, "revision": looks.revision}
    if looks.kind in ("nudenet", "text"):
        return name, looks
    if looks.kind == "clip":
        texts = [f"a photo of {with_article(n)}" for n in (concept, *things)]
        return name, Judge(kind="text", label=texts[0], others=texts[1:] or ["a photo"], **where)
    if JUDGES[looks.kind].feeds != "accuracy":
        raise ValueError(f"judge={told}: {name!r} is of kind {looks.kind}, which counts no picture")
    label, outputs = label or looks.label or concept, labels.outputs(looks, root)
    at = next((i for i, output in outputs.items() if output == label), None)
    if at is None:
        names = ", ".join(list(outputs.values())[:40])
        raise ValueError(f"judge={told}: {name!r} does not know {label!r}; it knows: {names}")
    own = labels.labels_of(looks, root)[at]
    return name, Judge(kind="detector", label=own, threshold=looks.threshold, **where)
