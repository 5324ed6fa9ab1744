"""Models as they lie on a disk: the card, the files, the matrices under attack; no torch."""

from dataclasses import dataclass

from regrowth.kinds import Kind


@dataclass(frozen=True)
class LayerFamily:
    """Layers that are attacked together: those of a component whose names match a pattern."""

    pattern: str
    component: str = "unet"


LAYERS = Kind(
    "layer family",
    {
        "ffn2": LayerFamily(r"\.ff\.net\.2\.weight$"),
        "ffn1": LayerFamily(r"\.ff\.net\.0\.proj\.weight$"),
        "attn2.to_k": LayerFamily(r"\.attn2\.to_k\.weight$"),
        "attn2.to_v": LayerFamily(r"\.attn2\.to_v\.weight$"),
        "text_encoder.fc2": LayerFamily(r"\.mlp\.fc2\.weight$", "text_encoder"),
    },
)
#: Other ways of the steps from noise to a picture than the model's own: diffusers' class, and what
#: it is told beside the model's schedule.
SCHEDULERS: dict[str, tuple[str, dict[str, bool]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "dpm++": ("DPMSolverMultistepScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
}
