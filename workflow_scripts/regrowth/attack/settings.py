"""What a study says of an attack, and what the attack is then called."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field
from regrowth.attack import DETECTORS, LESSONS, MAGNITUDES, ORACLES, TUNINGS
from regrowth.complete import SOLVERS
from regrowth.draw import GUARDS
from regrowth.files.keys import NONE
from regrowth.settings import Count, Number, Positive, Share, Strict, one_of

#: A share as it stands after a detector's name.
_SHARE = r"-0\.\d*[1-9]"
_ALONE = "|".join(name for name, d in DETECTORS.items() if not d.share)
_TOLD = "|".join(name for name, d in DETECTORS.items() if d.share)
#: Every spelling of a detector.
SPELLED = rf"({_ALONE}|({_TOLD}){_SHARE})"

Detector = Annotated[str, Field(pattern=f"^{SPELLED}$")]
Solver = Annotated[str, one_of(*SOLVERS)]
Magnitude = Annotated[str, one_of(*MAGNITUDES)]
Known = Annotated[str, one_of(*ORACLES)]
Data = Annotated[str, one_of(*LESSONS)]
Trained = Annotated[str, one_of(*TUNINGS)]
Through = Annotated[str, one_of(*(name for name, guard in GUARDS.items() if guard.still))]


class Asked(Strict):
    """What a study says of an attack."""

    def lacking(self) -> list[str]:
        """What a study must say, and does not."""
        return []


class Blind(Asked):
    """The attack with each of these detectors; nothing else is left to choose."""

    detectors: Annotated[list[Detector], Field(min_length=1)] = Field(
        ["zeros"],
        description="what the attacker takes for erased: zeros, or the share of all weights that "
        "a detector finds most suspicious, such as smallest-0.02",
    )


class Revival(Blind):
    """Every combination of the lists is an attack."""

    solvers: Annotated[list[Solver], Field(min_length=1)] = ["nuclear"]
    K: list[Share] = []
    magnitudes: list[Magnitude] = []
    layers_alone: list[Annotated[int, Number, Field(ge=0)]] = Field(
        [],
        description="besides all layers at once, revived in one of these alone, by its number from "
        "0 in the model's order; each is a variant",
    )

    def lacking(self) -> list[str]:
        told = {"K": "K, such as K: [0.6]", "magnitudes": "magnitudes, such as magnitudes: [max]"}
        return [text for name, text in told.items() if not getattr(self, name)]


class Comparison(Asked):
    """Every oracle of the list."""

    oracles: list[Known] = Field(
        [],
        description="pretrained: pretrained magnitudes, sampled signs; "
        "the others: pretrained signs, such magnitudes",
    )

    def lacking(self) -> list[str]:
        return [] if self.oracles else ["oracles, such as oracles: [max]"]


class Noised(Asked):
    """More noise at each of the sampler's steps."""

    noises: Annotated[list[Positive], Field(min_length=1)] = Field(
        [1.1], description="how many times what a step reckons with; 1: DDIM at η = 1"
    )


class Guided(Asked):
    """Drawn towards what a classifier takes for the concept, one that does not judge."""

    by: Annotated[list[str], Field(min_length=1)] = Field(
        ["clip"], description="of the catalogue's judges, of kind classifier or clip"
    )
    scales: Annotated[list[Positive], Field(min_length=1)] = Field(
        [0.5], description="of the gradient of what it finds likely"
    )


class Completed(Asked):
    """A noised picture of the concept is completed."""

    strengths: Annotated[list[Share], Field(min_length=1)] = Field(
        [0.8], description="the share of the sampler's steps that is left to the released model"
    )


def _rising(steps: list[int]) -> list[int]:
    if any(later <= step for step, later in zip(steps, steps[1:])):
        raise ValueError("each step later than the one before it is wanted")
    return steps


#: After how many steps of one training.
Steps = Annotated[list[Count], Field(min_length=1), AfterValidator(_rising)]


class Inversion(Asked):
    """A word is learnt that makes the released model draw the concept."""

    lr: Annotated[list[Positive], Field(min_length=1)] = Field([0.1], description="Adam's rate")
    at: Steps = Field([100], description="the steps of training after which it is drawn")


class Evasion(Inversion):
    """The same of a word that is to draw the concept through a guard, which is known."""

    through: Annotated[list[Through], Field(min_length=1)] = Field(
        ["implicit"], description="the guards that it is trained through, each alone"
    )


class Relearn(Inversion):
    """Every combination of the lists is an attack: the released model is trained further."""

    data: Annotated[list[Data], Field(min_length=1)] = Field(
        ["own"],
        description="the pictures: the released model's own, of other things; other things, drawn "
        "by the pretrained model; the concept, drawn by it (the upper end); or (slerp) what the "
        "released model draws between few of the latter (MemoRa)",
    )
    parameters: Annotated[list[Trained], Field(min_length=1)] = Field(
        ["all"], description="all weights of the UNet, or LoRA of rank 4 on its attentions"
    )
    lr: Annotated[list[Positive], Field(min_length=1)] = Field([5e-5], description="Adam's rate")
    at: Steps = [10, 50, 100, 200]


class Prefix(Inversion):
    """Words are found that, put before a prompt, make the released model draw the concept; beside
    it, as a control, as many words that are drawn at random."""

    tokens: Annotated[list[Count], Field(min_length=1)] = Field([5], description="of the prefix")
    lr: Annotated[list[Positive], Field(min_length=1)] = Field([0.01], description="Adam's rate")


class Autoguided(Relearn):
    """What was relearnt, drawn away from what was released (MemoRa's autoguidance)."""

    weights: Annotated[list[Annotated[float, Number, Field(ge=0)]], Field(min_length=1)] = Field(
        [1.5], description="how far from the released model's predictions; 1: what was relearnt"
    )


def parted(detector: str) -> tuple[str, float]:
    """A detector's name, and the share that it takes; 0 if it is told none."""
    found = re.search(f"{_SHARE}$", detector)
    return (detector[: found.start()], float(found[0][1:])) if found else (detector, 0.0)


def revived(cell: Mapping[str, str]) -> str:
    """What a revived variant is called: "max K=0.6", "max K=0.6 (faithful) at smallest-0.02"."""
    name = f"{cell['magnitude']} K={cell['K']}"
    if cell["solver"] != "nuclear":
        name += f" ({cell['solver']})"
    return name if cell["detector"] in ("zeros", NONE) else f"{name} at {cell['detector']}"


def blind(cell: Mapping[str, str]) -> str:
    return "blind" if cell["detector"] in ("zeros", NONE) else f"blind at {cell['detector']}"


def alone(cell: Mapping[str, str]) -> str:
    return f"{revived(cell)}, layer {cell['layer_alone']} alone"


def oracle(cell: Mapping[str, str]) -> str:
    return f"oracle: {ORACLES[cell['magnitude']].told}"


def noised(cell: Mapping[str, str]) -> str:
    return f"noise ×{cell['noise']}"


def guided(cell: Mapping[str, str]) -> str:
    return f"guided by {cell['by']} ×{cell['scale']}"


def completed(cell: Mapping[str, str]) -> str:
    return f"a picture completed at {cell['strength']}"


def relearn(cell: Mapping[str, str]) -> str:
    """What a relearnt variant is called: "relearnt ×50 on its own pictures"."""
    by = "" if cell["parameters"] == "all" else f" ({cell['parameters']})"
    told = LESSONS[cell["data"]].told
    return f"relearnt{_steps(cell)} on {told}{by}{_lr(cell, Relearn)}"


def autoguided(cell: Mapping[str, str]) -> str:
    return f"{relearn(cell)}, autoguided by {cell['weight']}"


def derived(cell: Mapping[str, str]) -> str:
    return "word derived"


def inversion(cell: Mapping[str, str]) -> str:
    return f"word learnt{_steps(cell)}{_lr(cell, Inversion)}"


def prefix(cell: Mapping[str, str]) -> str:
    return f"prefix found{_steps(cell)}{_tokens(cell)}{_lr(cell, Prefix)}"


def random_prefix(cell: Mapping[str, str]) -> str:
    return f"random prefix{_tokens(cell)}"


def _tokens(cell: Mapping[str, str]) -> str:
    return "" if cell["tokens"] in ("5", NONE) else f" of {cell['tokens']}"


def evasion(cell: Mapping[str, str]) -> str:
    return f"word learnt through {cell['through']}{_steps(cell)}{_lr(cell, Evasion)}"


def _steps(cell: Mapping[str, str]) -> str:
    """ " ×50"; nothing of a training as a whole."""
    return "" if cell["step"] == NONE else f" ×{cell['step']}"


def _lr(cell: Mapping[str, str], settings: type[Inversion]) -> str:
    return "" if [float(cell["lr"])] == settings().lr else f" at {cell['lr']}"
