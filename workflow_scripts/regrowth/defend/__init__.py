"""Defences: what fills the erased positions of released weights."""

from dataclasses import dataclass

from regrowth.kinds import Kind, Place


@dataclass(frozen=True)
class Fill:
    """fill: (weights, mask, sigma, generator) → filled weights, as in `fills`.

    random: it draws, so the weight seed counts. completed: it takes a completion of the weights,
    too. strength: what sigma is of it.
    """

    fill: Place
    strength: str
    random: bool = True
    completed: bool = False


_SPREAD = "in standard deviations of the layer's kept weights"
_KEPT = "times the kept weights that are drawn"
FILLS = Kind(
    "defence",
    {
        "gaussian": Fill(Place("defend.fills.gaussian"), strength=_SPREAD),
        "gaussian-absolute": Fill(Place("defend.fills.gaussian_absolute"), strength="as it is"),
        "uniform": Fill(Place("defend.fills.uniform"), strength="times one over √(inputs)"),
        "constant": Fill(Place("defend.fills.constant"), strength="the value", random=False),
        "row": Fill(Place("defend.fills.row"), strength=_KEPT),
        "decoy": Fill(
            Place("defend.fills.decoy"), strength="zeroed weights for each erased one", random=False
        ),
        "flip": Fill(Place("defend.fills.flip"), strength=_KEPT, completed=True),
        "surrogate": Fill(Place("defend.fills.surrogate"), strength=_SPREAD, completed=True),
    },
)
