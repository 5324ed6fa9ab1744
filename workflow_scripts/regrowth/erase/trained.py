"""Erasers that are trained: a recipe, on pictures that the model itself draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from regrowth.learn.loop import train
from regrowth.learn.pictures import material
from regrowth.learn.recipes import RECIPES, resolved
from regrowth.learn.state import Kept


def edit(
    pipe,
    weights: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
    settings: Mapping[str, Any],
    kept: Kept | None = None,
) -> dict[str, np.ndarray]:
    """What the recipe of the eraser's kind changes. Raises `loop.Blown` where training fails."""
    recipe = RECIPES[settings["kind"]]
    told = resolved(recipe, settings)
    how = told["pictures"], about["steps"], about["guidance"], told["batch"]
    return train(pipe, recipe, material(pipe, about["pairs"], *how, recipe), told, kept)
