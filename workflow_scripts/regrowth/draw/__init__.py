"""Pipelines: loading, weights put in place, pictures, patches, and guards.

A guard steers the sampler away from a concept while pictures are drawn. It changes no weight, so it
guards who draws through it, and nobody who has the weights.
"""

from dataclasses import dataclass

from regrowth.kinds import Kind, Place


@dataclass(frozen=True)
class Guard:
    """put: (pipeline, words to steer away from) → nothing; the pipeline draws guarded from then on.
    source: what of it is the paper's or the code's."""

    put: Place
    source: str


_SLD = "the paper's levels (Safe Latent Diffusion), warm-up as a share of the sampler's steps"
GUARDS = Kind(
    "guard",
    {
        "negative": Guard(Place("draw.guards.negative"), "in the place of no words"),
        "sld-weak": Guard(Place("draw.guards.weak"), _SLD),
        "sld-medium": Guard(Place("draw.guards.medium"), _SLD),
        "sld-strong": Guard(Place("draw.guards.strong"), _SLD),
        "sld-max": Guard(Place("draw.guards.most"), _SLD),
    },
)
