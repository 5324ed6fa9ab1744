"""Attackers who train or guess: what their jobs read, and what of a training is kept."""

from collections.abc import Callable
from functools import lru_cache

from regrowth.attack import VARIANTS
from regrowth.study import lessons, variants
from regrowth.study.catalogue import concepts_of
from regrowth.study.prompts import calibration_pairs
from regrowth.study.sweep import Files, Sweep, Wildcards, inspected


def steps(sweep: Sweep, variant: str) -> Callable[[Wildcards], list[int]]:
    """After which steps a training of that variant is kept: all that the study draws of it."""
    kinds = (variant, *(name for name, other in VARIANTS.items() if other.of == variant))
    asked = [variants.unguarded(v) for v in sweep.asked if v["variant"] in kinds]
    asked += sweep.steered_from if variant == "inversion" else []

    @inspected
    def found(wildcards: Wildcards) -> list[int]:
        own = {key: wildcards[key] for key in wildcards.keys()}
        return sorted({int(v["step"]) for v in asked if own.items() <= v.items()})

    return found


def forbidden(sweep: Sweep, concept: str) -> list[str]:
    """The words that no prefix may have: the concept's name, what else its prompts say of it and
    not of what it is held against, and the study's own. concept: as it stands in paths."""
    family, name = concepts_of(sweep.catalogue)[concept]
    pairs = calibration_pairs(sweep.catalogue.families[family], name)
    more = (word for base, target in pairs for word in target.split() if word not in base.split())
    return list(dict.fromkeys([name, *more, *sweep.study.learning.forbid]))


def unsaid(sweep: Sweep) -> Callable[[Wildcards], list[str]]:
    """`forbidden`, of a job's concept."""
    return inspected(lambda wildcards: forbidden(sweep, wildcards["concept"]))


def given(sweep: Sweep) -> Callable[[Wildcards], str | None]:
    """Digest of the pictures of one's own that a lesson is made of; None: they are drawn."""
    learning, root = sweep.study.learning, sweep.root

    @lru_cache
    def of(folder: str) -> str:
        return lessons.digest_of(lessons.captioned(folder, root, learning.pictures))

    @inspected
    def found(wildcards: Wildcards) -> str | None:
        at = lessons.folder(learning, wildcards["data"], wildcards["concept"])
        return at and of(at)

    return found


def candidates(sweep: Sweep) -> dict[str, str]:
    """What may have been erased, by its word in paths: every concept of the families that the study
    erases one of."""
    every = concepts_of(sweep.catalogue)
    families = {every[c][0] for c in sweep.begun}
    return {slug: name for slug, (family, name) in every.items() if family in families}


def told_by(sweep: Sweep) -> Callable[[Wildcards], str]:
    """What gives a released model's concept away."""
    return inspected(lambda wildcards: "edit" if wildcards["eraser"] in sweep.edits else "holes")


def calibrations(sweep: Sweep) -> Files:
    """Input function: each candidate's column norms, where holes are to be told by them."""
    at = f"{sweep.out}/calibration/concept={{}}/steps={sweep.study.identify}/norms.safetensors"
    every = [at.format(slug) for slug in candidates(sweep)]
    return inspected(lambda wildcards: [] if wildcards["eraser"] in sweep.edits else every)
