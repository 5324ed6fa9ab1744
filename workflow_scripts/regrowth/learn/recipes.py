"""Recipes: a trained eraser is five choices, and nothing else.

Which weights are trained; where the noised pictures come from; what is said of the concept instead;
how that is weighed against what must stay; and the optimiser, which is Adam at a constant rate for
all. Settings of the originals are for models a hundred times as large, and do not carry over: the
defaults here are of the bundled model, chosen on objects that no study erases.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field
from regrowth.settings import Count, Number, Positive, Seed, Share, Strict

#: Which of the UNet's weights are trained, by name.
PARAMETERS = {
    "all": re.compile(""),
    "attn2": re.compile(r"\.attn2\."),
    "not-attn2": re.compile(r"^(?!.*\.attn2\.)"),
}


@dataclass(frozen=True)
class Recipe:
    """parameters: a key of PARAMETERS. states: the concept's noised pictures are the model's own,
    with noise ("pictures"), or states on the way to them ("trajectory"). forget: a key of
    `loop.TARGETS`. masked: only the weights that SalUn's mask holds are changed. source: what of
    it is the paper's, the code's, or a reconstruction. steps, rate, retain: unless a study says.
    """

    parameters: str
    states: Literal["pictures", "trajectory"]
    forget: str
    source: str
    masked: bool = False
    steps: int = 60
    rate: float = 4e-5
    retain: float = 1.0


RECIPES = {
    "esd-x": Recipe(
        "attn2",
        "trajectory",
        "negative",
        "code (rohitgandikota/erasing): states by the frozen model, as its later script does",
        steps=100,
        rate=1e-4,
        retain=0,
    ),
    "esd-u": Recipe(
        "not-attn2", "trajectory", "negative", "as esd-x", steps=60, rate=1e-4, retain=0
    ),
    "salun-tuned": Recipe(
        "all", "pictures", "pseudo", "code (OPTML-Group/Unlearn-Saliency)", masked=True
    ),
    "erasediff": Recipe(
        "not-attn2",
        "pictures",
        "pseudo",
        "as coded (JingWu321/EraseDiff at a fixed weight): the printed weight differs",
    ),
    "dimum": Recipe(
        "all", "pictures", "alternative", "a reconstruction: no code was published", rate=5e-5
    ),
    "score-alignment": Recipe(
        "all", "pictures", "anchor", "the short form of Score Forgetting Distillation, named so"
    ),
}


Weight = Annotated[float, Number, Field(ge=0, allow_inf_nan=False)]


class Trained(Strict):
    """What a study says of a trained eraser; what it does not say is its recipe's."""

    steps: Count | None = None
    rate: Positive | None = Field(None, description="Adam's, constant")
    batch: Count = 8
    pictures: Count = Field(64, description="of the concept, and as many of others; drawn anew")
    retain: Weight | None = Field(None, description="the weight of the loss on pictures of others")
    push: Positive = Field(1.0, description="ESD's: how far away from the concept's prediction")
    share: Share = Field(0.5, description="SalUn's: of the trained weights that may change")
    seed: Seed = 0

    def of(self, kind: str) -> dict[str, Any]:
        """The settings that a concept of this kind is erased with."""
        return self.model_dump()


def resolved(recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, and the recipe's own where they say nothing."""
    own = {name: getattr(recipe, name) for name in ("steps", "rate", "retain")}
    return own | {name: value for name, value in settings.items() if value is not None}
