"""What a study says of an attack, and what the attack is then called."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from regrowth.attack import DETECTORS, MAGNITUDES, ORACLES
from regrowth.complete import SOLVERS
from regrowth.files.keys import NONE
from regrowth.settings import Number, Share, Strict, one_of

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


class Blind(Strict):
    """The attack with each of these detectors; nothing else is left to choose."""

    detectors: Annotated[list[Detector], Field(min_length=1)] = Field(
        ["zeros"],
        description="what the attacker takes for erased: zeros, or the share of all weights that "
        "a detector finds most suspicious, such as smallest-0.02",
    )

    def lacking(self) -> list[str]:
        """What a study must say, and does not."""
        return []


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
        """What a study must say, and does not."""
        told = {"K": "K, such as K: [0.6]", "magnitudes": "magnitudes, such as magnitudes: [max]"}
        return [text for name, text in told.items() if not getattr(self, name)]


class Comparison(Strict):
    """Every oracle of the list."""

    oracles: list[Known] = Field(
        [],
        description="pretrained: pretrained magnitudes, sampled signs; "
        "the others: pretrained signs, such magnitudes",
    )

    def lacking(self) -> list[str]:
        """What a study must say, and does not."""
        return [] if self.oracles else ["oracles, such as oracles: [max]"]


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
