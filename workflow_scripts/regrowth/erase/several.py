"""Several concepts at once: the union of their masks, or their edits one after another."""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field
from regrowth.files import keys
from regrowth.settings import Concept, Strict


def _apart(concepts: list[str]) -> list[str]:
    slugs = [keys.slug(concept) for concept in concepts]
    if twice := [c for c, slug in zip(concepts, slugs) if slugs.count(slug) > 1]:
        raise ValueError(f"{twice[0]!r} is named twice")
    if len(concepts) < 2:
        raise ValueError("two or more are wanted: one alone is erased by `of` itself")
    return concepts


class Several(Strict):
    of: str = Field(description="the eraser, by name, whose masks or edits these are")
    concepts: Annotated[list[Concept], AfterValidator(_apart)] = Field(
        description="all that are erased; by edits, in this order"
    )


def union(masks: Iterable[np.ndarray]) -> np.ndarray:
    """Bool (out, in): True where any of the masks is."""
    return np.logical_or.reduce(list(masks))
