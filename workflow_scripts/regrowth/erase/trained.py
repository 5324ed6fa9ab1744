"""Erasers that are trained: a recipe, on pictures that the model itself draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from regrowth.learn import pictures
from regrowth.learn.loop import train
from regrowth.learn.recipes import RECIPES, resolved
from regrowth.learn.state import Kept


def edit(
    pipe,
    weights: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
    settings: Mapping[str, Any],
    kept: Kept | None = None,
    drawn: Mapping[str, pictures.Pictures] | None = None,
) -> dict[str, np.ndarray]:
    """What the recipe of the eraser's kind changes. drawn: of `pictures.SHOWN`, those that are
    there; others are drawn. Raises `loop.Blown` where training fails."""
    recipe = RECIPES[settings["kind"]]
    told, held = resolved(recipe, settings), drawn or {}
    how = told["pictures"], about["steps"], about["guidance"], told["batch"]

    def shown(of: str) -> pictures.Pictures:
        return held[of] if of in held else pictures.shown(pipe, of, about["pairs"], *how)

    return train(pipe, recipe, pictures.material(pipe, recipe, shown), told, kept)
