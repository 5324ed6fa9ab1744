"""Masks by gradients: the weights on which the loss on a concept's own pictures hangs most.

SalUn takes |sum of the gradients over all batches| of the guided loss; Scissorhands weighs
gradients by the weights: |sum × weight| as its paper prints it (signed), or sum of magnitudes ×
|weight| as its code does (absolute). *Roots Beneath the Cut* (Table 11) zeroes both without any
repair; which share, which layers and which loss it does not say, so these defaults are ours.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from regrowth.learn.shares import least
from regrowth.settings import Count, Number, Strict

Share = Annotated[float, Number, Field(gt=0, lt=1)]


class _Saliency(Strict):
    share: Share = Field(0.02, description="of the attacked layers' weights that is erased")
    over: Literal["model", "layer"] = Field(
        "model", description="whether the share is of all attacked layers together, or of each"
    )
    pictures: Count = Field(64, description="of the concept, drawn by the model itself")
    loss: Literal["noise", "guided"] = "noise"

    def of(self, kind: str) -> dict[str, Any]:
        """The settings that a concept of this kind is erased with."""
        return self.model_dump()


class SalUn(_Saliency):
    """SalUn's mask, erased: by |sum of gradients|."""

    loss: Literal["noise", "guided"] = Field(
        "guided", description="of the prediction as it is, or guided at 7.5 as in SalUn's code"
    )
    weighed: Literal["no"] = "no"


class Scissorhands(_Saliency):
    """Scissorhands' mask, erased: by gradients times weights."""

    loss: Literal["noise", "guided"] = Field(
        "noise", description="of the prediction as it is, as in its code, or guided at 7.5"
    )
    weighed: Literal["signed", "absolute"] = Field(
        "absolute", description="gradients are summed as they are (paper), or by magnitude (code)"
    )


def scores(weights: np.ndarray, read: Mapping[str, np.ndarray], weighed: str) -> np.ndarray:
    """How much the loss hangs on each weight, float32 (out, in). read: `READ["gradients"]`."""
    if weighed == "absolute":
        return read["absolute"] * np.abs(weights)
    return np.abs(read["sum"] * weights if weighed == "signed" else read["sum"])


def bar(
    weights: Mapping[str, np.ndarray], read: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> float | None:
    """The least score that is erased in any layer; none if each layer has its own share.

    read: by "layer:name". Ties at the bar are all erased.
    """
    if settings["over"] == "layer":
        return None
    every = [
        scores(w, {k: read[f"{layer}:{k}"] for k in ("sum", "absolute")}, settings["weighed"])
        for layer, w in weights.items()
    ]
    return least(every, settings["share"])


def mask(
    weights: np.ndarray, read: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> np.ndarray:
    """The positions that are erased, bool (out, in): a score of at least the bar, and not zero."""
    found = scores(weights, read, settings["weighed"])
    in_common = settings["bar"]
    own = least([found], settings["share"]) if in_common is None else in_common
    return (found >= own) & (found > 0)
