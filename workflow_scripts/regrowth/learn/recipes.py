"""Recipes: a trained eraser is a few choices, and nothing else.

Which weights are trained; where the noised pictures come from; what is said of the concept instead;
what is held of others; how the two are weighed; what holds the weights; and the optimiser, which is
Adam at a constant rate for all. Settings of the originals are for models a hundred times as large,
and do not carry over: the defaults here are of the bundled model, chosen on objects that no study
erases.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: Which of the UNet's weights are trained, by name.
PARAMETERS = {
    "all": re.compile(""),
    "attention": re.compile(r"\.attn[12]\."),
    "attn2": re.compile(r"\.attn2\."),
    "not-attn2": re.compile(r"^(?!.*\.attn2\.)"),
    "lora": re.compile(r"\.attn[12]\..*\.parametrizations\.weight\.0\."),
}


@dataclass(frozen=True)
class Recipe:
    """source: what of it is the paper's, the code's, or a reconstruction. parameters: a key of
    PARAMETERS. states: the concept's noised pictures are the model's own, with noise ("pictures"),
    or states on the way to them ("trajectory"). target, held: keys of `targets.TARGETS` and
    `targets.HELD`, what is said of the concept and of others. away: the concept's loss is not
    lowered but raised. combine, anchor, mask: keys of `combine.COMBINERS`, `anchors.ANCHORS` and
    `masks.MASKS`. reset: weights that are drawn anew before the first step. steps, rate, forget,
    retain, combine: unless a study says.
    """

    source: str
    parameters: str = "all"
    states: Literal["pictures", "trajectory"] = "pictures"
    target: str = "noise"
    away: bool = False
    held: str = "noise"
    combine: str = "sum"
    anchor: str = "none"
    mask: str = "none"
    reset: bool = False
    steps: int = 60
    rate: float = 4e-5
    forget: float = 1.0
    retain: float = 1.0

    @property
    def shown(self) -> tuple[str, str]:
        """What it learns from, of `pictures.SHOWN`: of the concept, and of others."""
        return "target" if self.states == "pictures" else "states", "base"

    @property
    def asks_frozen(self) -> bool:
        """Whether it is told what the frozen model says, of which it then keeps a copy."""
        return self.target in ("negative", "anchor") or self.held == "frozen"


RECIPES = {
    "esd-x": Recipe(
        "code (rohitgandikota/erasing): states by the frozen model, as its later script does",
        "attn2",
        "trajectory",
        "negative",
        steps=100,
        rate=6e-5,
        retain=0,
    ),
    "esd-u": Recipe("as esd-x", "not-attn2", "trajectory", "negative", rate=1e-4, retain=0),
    "salun-tuned": Recipe(
        "code (OPTML-Group/Unlearn-Saliency)", target="pseudo", mask="salient", rate=3e-5
    ),
    "erasediff": Recipe(
        "code (JingWu321/EraseDiff at a fixed weight), or the printed weight: `combine`",
        "not-attn2",
        target="pseudo",
        rate=3e-5,
    ),
    "dimum": Recipe("a reconstruction: no code was published", target="alternative", rate=5e-5),
    "score-alignment": Recipe(
        "the short form of Score Forgetting Distillation, named so", target="anchor", rate=5e-5
    ),
    "selective-amnesia": Recipe(
        "code (clear-nus/selective-amnesia): Fisher at a few steps of a picture, not at all",
        target="alternative",
        anchor="fisher",
        rate=5e-5,
        retain=2.0,
    ),
    "vdu": Recipe(
        "a reconstruction: no code was published, nor how the posterior is weighed",
        away=True,
        anchor="posterior",
        retain=0,
    ),
    "saddle": Recipe(
        "a reconstruction of Model Integrity's, whose constants were not read",
        away=True,
        held="frozen",
        forget=0.1,
    ),
    "ovw": Recipe(
        "a reconstruction of Model Integrity's, whose constants were not read",
        target="alternative",
        held="frozen",
        combine="alternate",
        steps=100,
        rate=3e-5,
        retain=20.0,
    ),
    "sculpting-memory": Recipe(
        "code (coulsonlee/Sculpting-Memory-ICCV-2025): its distillation is overwritten before it"
        " counts",
        "attn2",
        target="warmed",
        mask="moving",
        rate=6e-5,
        retain=0.25,
    ),
    "resalign": Recipe(
        "code (AntigoneRandy/ResAlign), but for attentions at full rank, one simulated tuning, and"
        " a bound on the ascent",
        "attention",
        away=True,
        held="frozen",
        combine="resilient",
        rate=9e-5,
        retain=2.0,
    ),
    "scissorhands-tuned": Recipe(
        "paper, with its misprints mended, or the plain sum of the code (JingWu321/Scissorhands):"
        " `project`; drawn anew as in its classification code, where its SD code does",
        away=True,
        combine="project",
        reset=True,
        steps=80,
        rate=3e-5,
        forget=0.03,
    ),
}

#: What a study may say instead of a recipe.
_OWN = ("steps", "rate", "forget", "retain", "combine")


def resolved(recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, and the recipe's own where they say nothing."""
    own = {name: getattr(recipe, name) for name in _OWN}
    return own | {name: value for name, value in settings.items() if value is not None}
