"""Erasers of several concepts: what their jobs read, and what their results depend on."""

from collections.abc import Callable
from typing import Any

from regrowth.files.keys import NONE, RELEASED
from regrowth.study.depends import Depends
from regrowth.study.sweep import Files, Sweep, Wildcards, inspected


def of(sweep: Sweep, wildcards: Wildcards) -> list[dict[str, str]]:
    """The concepts that a job's eraser erases, in its order, each with the eraser that does it."""
    erasers, name = sweep.study.erasers, wildcards["eraser"]
    return [
        {"concept": concept, "eraser": getattr(erasers, name).of}
        for concept in erasers.together(name)
    ]


def together(sweep: Sweep) -> dict[str, list[str]]:
    """By eraser of several concepts that the sweep asks for, these."""
    names = dict.fromkeys(cell["eraser"] for cell in sweep.asked)
    every = {name: sweep.study.erasers.together(name) for name in names}
    return {name: concepts for name, concepts in every.items() if concepts}


def masks(sweep: Sweep) -> Files:
    """Input function: of every concept the mask, in the job's part."""

    @inspected
    def files(wildcards: Wildcards) -> list[str]:
        every = (file for each in of(sweep, wildcards) for file in sweep.masks_of(each))
        return [file for file in every if file.endswith(f"/part={wildcards['part']}.safetensors")]

    return files


def before(sweep: Sweep) -> Files:
    """Input function: the first concept's edit; for a later concept, what came of all of them."""
    released = sweep.parts_of("released")

    @inspected
    def files(wildcards: Wildcards) -> list[str]:
        first = of(sweep, wildcards)[0]
        own = first if wildcards["concept"] == first["concept"] else {"eraser": wildcards["eraser"]}
        return released(dict.fromkeys(RELEASED, NONE) | first | own)

    return files


def turns(depends: Depends) -> Callable[[Wildcards], list[dict[str, Any]]]:
    """Of each edit after the first what it is about, and its eraser's settings; none for a later
    concept."""

    @inspected
    def found(wildcards: Wildcards) -> list[dict[str, Any]]:
        first, *rest = of(depends.sweep, wildcards)
        later = rest if wildcards["concept"] == first["concept"] else []
        return [{"about": depends.about(w), "eraser": depends.settings_of(w)} for w in later]

    return found


def code(depends: Depends) -> Callable[[Wildcards], str]:
    """Digest of the code of a sequence, with that of the eraser that it is of."""

    @inspected
    def digest(wildcards: Wildcards) -> str:
        kind = depends.sweep.study.erasers.kind(of(depends.sweep, wildcards)[0]["eraser"])
        return depends.code("sequence", ("erase.ERASERS", kind), ("learn.recipes.RECIPES", kind))

    return digest
