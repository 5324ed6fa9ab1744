"""Erasers: which weights of a model a concept needs."""

from dataclasses import dataclass

from regrowth.kinds import Kind, Place


@dataclass(frozen=True)
class Eraser:
    """settings: what a study says of it. mask: (weights, read, settings) → bool (out, in), True
    where erased. edit: (pipeline, the UNet's weights by name, `Depends.about`, settings, and for
    what is trained what keeps its state on the way, and what is drawn already to learn from, by
    `pictures.SHOWN`) → the weights that are changed, float32 by name; none is erased.
    With neither, what was erased is found in a checkpoint that the settings name; or, `whole`,
    that checkpoint is what is released.

    reads: what a mask reads of its layer beside the weights, a key of READ. bar: (weights by layer,
    what is read of every layer, settings) → what all layers have in common, which a mask finds in
    settings["bar"]. source: what of it is the paper's or the code's; a recipe has its own.
    """

    settings: Place
    mask: Place | None = None
    reads: str = "norms"
    bar: Place | None = None
    edit: Place | None = None
    source: str = ""
    whole: bool = False

    @property
    def how(self) -> str:
        """How it comes to what is released: by a "mask", by an "edit", or it is "given", pruned or
        "whole"."""
        if self.mask or self.edit:
            return "mask" if self.mask else "edit"
        return "whole" if self.whole else "given"

    @property
    def holes(self) -> bool:
        """Whether it leaves holes, which an attack completes and a defence fills."""
        return self.how in ("mask", "given")


@dataclass(frozen=True)
class Together(Eraser):
    """It makes one of what another eraser makes of each of several concepts. of: how that one comes
    to what is released: by a "mask", for the union of them, or by an "edit", for one after another.
    It has no settings of its own by default, so it stands under a name that a study gives it.
    """

    of: str = "mask"

    @property
    def how(self) -> str:
        return "union" if self.of == "mask" else "sequence"

    @property
    def holes(self) -> bool:
        return self.of == "mask"


class Hidden(Eraser):
    """A checkpoint whose weights under attack are released as they are: somebody has pruned and
    filled them, and nobody knows where."""

    @property
    def how(self) -> str:
        return "hidden"

    @property
    def holes(self) -> bool:
        return True


#: What a mask may read of a layer, by name. norms: its column norms at the first
#: `settings.steps` denoising steps, (steps, in) each. gradients: of the loss that the settings
#: name, on the concept's own pictures, over batches: their sum, and that of their magnitudes,
#: (out, in) each.
READ = {"norms": ("target", "base"), "gradients": ("sum", "absolute"), "": ()}


#: Its recipe, in `learn.recipes.RECIPES`, has the eraser's name.
_TRAINED = Place("erase.trained.edit")
ERASERS = Kind(
    "eraser",
    {
        "conceptprune": Eraser(
            settings=Place("erase.conceptprune.ByKind"),
            mask=Place("erase.conceptprune.mask"),
            source="paper",
        ),
        "salun": Eraser(
            settings=Place("erase.saliency.SalUn"),
            mask=Place("erase.saliency.mask"),
            reads="gradients",
            bar=Place("erase.saliency.bar"),
            source="code's mask, zeroed as Roots Beneath the Cut does",
        ),
        "scissorhands": Eraser(
            settings=Place("erase.saliency.Scissorhands"),
            mask=Place("erase.saliency.mask"),
            reads="gradients",
            bar=Place("erase.saliency.bar"),
            source="code's mask or the paper's, zeroed as Roots Beneath the Cut does",
        ),
        "uce": Eraser(
            settings=Place("erase.closed_form.Uce"),
            edit=Place("erase.closed_form.uce"),
            reads="",
            source="code",
        ),
        "rece": Eraser(
            settings=Place("erase.closed_form.Rece"),
            edit=Place("erase.closed_form.rece"),
            reads="",
            source="code",
        ),
        "esd-x": Eraser(settings=Place("learn.settings.Esd"), edit=_TRAINED, reads=""),
        "esd-u": Eraser(settings=Place("learn.settings.Esd"), edit=_TRAINED, reads=""),
        "salun-tuned": Eraser(settings=Place("learn.settings.SalUnTuned"), edit=_TRAINED, reads=""),
        "erasediff": Eraser(settings=Place("learn.settings.EraseDiff"), edit=_TRAINED, reads=""),
        "dimum": Eraser(settings=Place("learn.settings.Trained"), edit=_TRAINED, reads=""),
        "score-alignment": Eraser(
            settings=Place("learn.settings.Trained"), edit=_TRAINED, reads=""
        ),
        "selective-amnesia": Eraser(
            settings=Place("learn.settings.SelectiveAmnesia"), edit=_TRAINED, reads=""
        ),
        "vdu": Eraser(settings=Place("learn.settings.Vdu"), edit=_TRAINED, reads=""),
        "saddle": Eraser(settings=Place("learn.settings.Away"), edit=_TRAINED, reads=""),
        "ovw": Eraser(settings=Place("learn.settings.Trained"), edit=_TRAINED, reads=""),
        "sculpting-memory": Eraser(
            settings=Place("learn.settings.Sculpting"), edit=_TRAINED, reads=""
        ),
        "resalign": Eraser(settings=Place("learn.settings.ResAlign"), edit=_TRAINED, reads=""),
        "scissorhands-tuned": Eraser(
            settings=Place("learn.settings.ScissorhandsTuned"), edit=_TRAINED, reads=""
        ),
        "checkpoint": Eraser(settings=Place("erase.checkpoints.Given"), reads=""),
        "model": Eraser(settings=Place("erase.checkpoints.Given"), reads="", whole=True),
        "filled": Hidden(settings=Place("erase.checkpoints.Given"), reads=""),
        "union": Together(settings=Place("erase.several.Several"), reads="", of="mask"),
        "sequence": Together(settings=Place("erase.several.Several"), reads="", of="edit"),
    },
)
