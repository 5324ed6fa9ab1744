"""Shadow models: halves of the pictures, learnt and forgotten as the study's own are, from which an
attacker tells what forgetting leaves behind. A shadow is a split of a name of its own."""

import numpy as np
from regrowth.classify.split import stream

MARK = "-shadow"


def name(split: int | str, shadow: int | str) -> str:
    return f"{split}{MARK}{shadow}"


def told(split: str) -> tuple[int, int | None]:
    """Of a split's name, its number, and its shadow's if it is one."""
    own, _, shadow = split.partition(MARK)
    return int(own), int(shadow) if shadow else None


def half(before: np.ndarray, split: int, shadow: int) -> np.ndarray:
    """Bool by picture: which a shadow learns, of all that the split has for training, validation
    among them. Shadows 2 i and 2 i + 1 learn one half each, so that every picture is in half of an
    even number of shadows.

    before: `split.split`'s parts."""
    pool = np.flatnonzero(np.isin(before, ("retain", "validation")))
    order = stream(f"shadow {shadow // 2}", split).permutation(pool)
    own, found = np.array_split(order, 2)[shadow % 2], np.zeros(len(before), bool)
    found[own] = True
    return found


def candidates(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bool by picture: what is forgotten; and what is like it, but no model of the study has ever
    learnt it, its classes' held out pictures, or any, by what is forgotten.

    before, after: parts before and after something is forgotten."""
    alike = "away" if (after == "away").any() else "validation"
    return after == "forget", (before == "validation") & (after == alike)


def parts(before: np.ndarray, after: np.ndarray, split: int, shadow: int) -> np.ndarray:
    """The parts of a shadow's pictures: of its half it forgets all candidates, and keeps the rest.
    after: `before`, where nothing is forgotten."""
    own, out = half(before, split, shadow), np.full(len(before), "unused", dtype=object)
    out[own] = "retain"
    if (after == "forget").any():
        members, others = candidates(before, after)
        out[own & (members | others)] = "forget"
    return out
