"""Pipelines: loading, weights put in place, pictures, patches, and guards.

A guard steers the sampler away from a concept while pictures are drawn. It changes no weight, so it
guards who draws through it, and nobody who has the weights.
"""

from dataclasses import dataclass

from regrowth.kinds import Kind, Place


@dataclass(frozen=True)
class Guard:
    """put: (pipeline, words to steer away from) → nothing; the pipeline draws guarded from then on.
    source: what of it is the paper's or the code's. needs: of `attack.KNOWLEDGE`, what who trains
    through it is given; with "guard" it steers away from a learnt word's embedding, not from words.
    still: what it makes of a prediction depends on nothing before, so that it can be trained
    through."""

    put: Place
    source: str
    needs: frozenset[str] = frozenset()
    still: bool = False


_SLD = "the paper's levels (Safe Latent Diffusion), warm-up as a share of the sampler's steps"
GUARDS = Kind(
    "guard",
    {
        "negative": Guard(Place("draw.guards.negative"), "in the place of no words", still=True),
        "implicit": Guard(
            Place("draw.guards.implicit"),
            "a reconstruction of implicit negative embeddings', whose code was not published",
            needs=frozenset({"guard"}),
            still=True,
        ),
        "sld-weak": Guard(Place("draw.guards.weak"), _SLD),
        "sld-medium": Guard(Place("draw.guards.medium"), _SLD),
        "sld-strong": Guard(Place("draw.guards.strong"), _SLD),
        "sld-max": Guard(Place("draw.guards.most"), _SLD),
    },
)
