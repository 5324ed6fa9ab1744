"""Erasers: which weights of a model a concept needs."""

from dataclasses import dataclass

from regrowth.kinds import Kind, Place


@dataclass(frozen=True)
class Eraser:
    """settings: what a study says of it. mask: (weights, norms, settings) → bool (out, in), True
    where erased; none: what was erased is found in a checkpoint that the settings name.

    calibrated: norms are a layer's column norms at the first `settings.steps` denoising steps,
    "target" and "base", (steps, in) each; otherwise there are none.
    """

    settings: Place
    mask: Place | None = None
    calibrated: bool = True


ERASERS = Kind(
    "eraser",
    {
        "conceptprune": Eraser(
            settings=Place("erase.conceptprune.ByKind"), mask=Place("erase.conceptprune.mask")
        ),
        "checkpoint": Eraser(settings=Place("erase.checkpoints.Given"), calibrated=False),
    },
)
