"""What a study says of its methods; defaults are the published code's where it has one."""

from typing import Annotated, Literal

from pydantic import Field
from regrowth.attack import MAGNITUDES
from regrowth.complete import SOLVERS
from regrowth.settings import Count, Number, Positive, Share, Strict, one_of

Weight = Annotated[float, Number, Field(ge=0, allow_inf_nan=False)]
#: A share that leaves something.
Part = Annotated[float, Number, Field(gt=0, lt=1)]


class Descent(Strict):
    """Stochastic gradient descent with momentum .9 and weight decay 5e-4."""

    epochs: Count = 10
    rate: Positive = 0.01
    batch: Count = 256


class Training(Descent):
    epochs: Count = 182
    rate: Positive = 0.1
    schedule: Literal["cosine", "constant"] = "cosine"
    augment: bool = Field(
        False, description="pictures are shifted by up to four pixels and flipped"
    )


class Retrain(Strict):
    """As the original was trained, on what is kept alone."""


class FineTune(Descent):
    """On what is kept."""


class Sparse(Descent):
    """The same, with a penalty on all weights' magnitudes that falls to 0: α (1 − e / E) |θ|₁."""

    alpha: Positive = 1e-4


class Ascent(Descent):
    """On what is forgotten, uphill."""

    epochs: Count = 5
    rate: Positive = 1e-4
    still: bool = Field(False, description="BatchNorm's running statistics stay as they are")


class Influence(Strict):
    """One step by the inverse Hessian, as the WoodFisher recursion of the published code has it."""

    alpha: Positive = 5.0
    samples: Count = Field(1000, description="kept pictures that the Hessian is told by")


class Shrink(Descent):
    """What is forgotten is taught as its nearest other side, found by one signed step."""

    rate: Positive = 1e-6
    step: Positive = 0.1


class Expand(Descent):
    """What is forgotten is taught as a class of its own, which stays."""

    rate: Positive = 1e-6


class SalUn(Descent):
    """Random labels for what is forgotten, by turns with what is kept; only what hangs most on the
    forgetting may move."""

    share: Share = Field(0.5, description="of all parameters, that may move")
    rate: Positive = 0.013


class Scissorhands(Descent):
    """Trim: the parameters that forgetting hangs on most are drawn anew. Repair: what is kept is
    learnt, on a gradient that no longer lowers the loss of what is forgotten."""

    faithful: Literal["paper", "code"] = Field(
        "paper", description="which of the two, where they differ (docs/classifiers.md)"
    )
    share: Part = Field(0.03, description="of the parameters, that are drawn anew")
    forget: Weight = Field(0.05, description="λ, the least weight of the ascent")
    project: bool = True
    init: Literal["uniform", "normal", "zeros", "ones"] = "uniform"
    rate: Positive = 5e-3


class Tilted(Descent):
    """What is forgotten is taught as the other classes, by what the original gave each of them and
    by how near it is; what is kept as itself. A reconstruction."""

    tilt: Weight = Field(10.0, description="β, how much nearness counts")


class Cut(Strict):
    """Weights of the late layers are zeroed, and nothing is repaired: `conceptprune` by |w| times
    its input's norm on what is forgotten, where that is larger than on what is kept; `salun` and
    `scissorhands` by their saliency."""

    score: Literal["conceptprune", "salun", "scissorhands"] = "conceptprune"
    share: Part = Field(0.02, description="of each row (conceptprune) or each layer")


class Drift(Strict):
    """Nothing is learnt: what is forgotten is only seen, while BatchNorm keeps its statistics."""

    epochs: Count = 10
    batch: Count = 256


class Revive(Strict):
    """The surest signs of the completed layers, at a magnitude that the layer has kept."""

    solver: Annotated[str, one_of(*SOLVERS)] = "nuclear"
    K: Share = 0.6
    magnitude: Annotated[str, one_of(*MAGNITUDES)] = "max"


class Blind(Strict):
    """The attack that leaves nothing to choose, at a size that was not tuned here."""

    scale: Positive = Field(
        1.0, description="what a sure sign is worth, in its row's largest kept magnitudes"
    )


class GradCam(Strict):
    """Where the original and some unlearners' models look, of the first split and seed."""

    unlearners: list[str] = []
    pictures: Annotated[int, Number, Field(ge=1, le=10)] = Field(
        4, description="of what is forgotten, and as many of what is kept"
    )


class Apollo(Strict):
    """Steps away from a picture, of `radius` each (l2, values from 0 to 1), and the probability
    below (under) or above which (over) those that never saw it do not know it, or do."""

    steps: Count = 10
    radius: Positive = 0.3
    under: Share = 0.5
    over: Share = 0.5


class Shadows(Strict):
    """Shadow models of some unlearners, for the attacks U-LiRA and Apollo. Each is a training on
    half of the pictures, and one forgetting for every unlearner and all that is forgotten."""

    unlearners: list[str] = []
    number: Annotated[int, Number, Field(ge=4, multiple_of=2)] = 16
    apollo: Apollo = Apollo()


class Relearn(Strict):
    """How soon what was forgotten is learnt again: passes over it alone, until the original's
    accuracy on it is reached, or the cap."""

    unlearners: list[str] = []
    rate: Positive = 1e-3
    batch: Count = 256
    cap: Count = 200
