"""Edits one after another, each of what those before it have left."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from regrowth.draw.pipeline import put_weights
from regrowth.erase import ERASERS
from regrowth.learn.loop import Blown
from regrowth.learn.state import Kept

log = logging.getLogger(__name__)
#: What an edit is about, and its eraser's settings.
Turn = Mapping[str, Any]


def in_turn(
    pipe,
    weights: Mapping[str, np.ndarray],
    before: Mapping[str, np.ndarray],
    turns: Iterable[tuple[Turn, Kept | None]],
) -> tuple[dict[str, np.ndarray], str | None]:
    """The weights that are changed in the end, float32 by name, and what destroyed them, if
    anything did: nothing comes after that.

    weights: the UNet's matrices; before: what is changed already, by name; turns: each with what
    keeps its state on the way.
    """
    changed = dict(before)
    for turn, kept in turns:
        put_weights(pipe, changed)
        left = {name: changed.get(name, own) for name, own in weights.items()}
        about, settings = turn["about"], turn["eraser"]
        edit: Any = ERASERS[settings["kind"]].edit
        log.info("%s, after what was erased before", about["name"])
        try:
            changed |= edit(pipe, left, about, settings, kept)
        except Blown as blown:  # what it has become is a result, too
            log.error("%s: %s", about["name"], blown)
            return changed | blown.weights, f"step {blown.step} of {about['name']}"
    return changed, None
