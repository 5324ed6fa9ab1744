"""How checkpoints name a UNet's and a text encoder's tensors, and which of diffusers' names each of
theirs is."""

import re
from collections.abc import Collection, Iterable, Mapping

from regrowth.models.disk import COMPONENTS

#: A name that a UNet alone has, and what stands before its own names.
_DIFFUSERS = re.compile(r"(|.*\.)((?:down_blocks\.\d+|mid_block|up_blocks\.\d+)\.\w+\.\d+\..+)")
_COMPVIS = re.compile(r"(|.*\.)((?:input_blocks\.\d+|middle_block|output_blocks\.\d+)\.\d+\..+)")
#: The same of a text encoder, as transformers names CLIP's.
_TEXT = re.compile(
    r"(|.*\.)((?:encoder\.layers\.\d+\.(?:self_attn|mlp|layer_norm\d)|final_layer_norm|"
    r"embeddings\.(?:token|position)_embedding)\..+)"
)
#: What stands before all names of a text encoder.
TEXT = COMPONENTS["text_encoder"]
#: What autoencoders and ControlNets have before such names.
_OTHERS = re.compile(
    r"(?:^|\.)(?:encoder|decoder|vae|first_stage_model|control_model|controlnet)\."
)
#: What torch.nn.utils.prune calls a weight as it was, and what is left of it.
ORIGINAL, KEPT = "_orig", "_mask"
#: What quantising libraries leave beside a weight.
_QUANTISED = {
    "bitsandbytes": re.compile(r"\.(?:absmax|quant_map|SCB|quant_state\..+)$"),
    "GPTQ or AWQ": re.compile(r"\.(?:qweight|qzeros)$"),
    "optimum-quanto": re.compile(r"\._data$|\.weight\._scale$"),
}
_DOWN, _UP = (
    r"(?:lora_A|lora\.down|lora_down|_lora\.down)",
    r"(?:lora_B|lora\.up|lora_up|_lora\.up)",
)
_LORA = re.compile(rf"(.*?)(?:\.|(?=_lora\.)){_DOWN}(?:\.[\w-]+)?\.weight$")


def quantised(names: Iterable[str]) -> str | None:
    """The library that rounded a checkpoint's weights to a few bits, by what it leaves beside them;
    None if none is seen."""
    for name in names:
        for library, left in _QUANTISED.items():
            if left.search(name):
                return library
    return None


def unet(names: Collection[str]) -> tuple[str, dict[str, str]]:
    """The layout that a UNet's tensors are named in, "diffusers" or "CompVis", and the stored name
    of each by its own name in that layout; "transformers" and nothing of a text encoder alone.

    What stands before all of them ("unet.", "module._orig_mod.", "model.diffusion_model.") goes.
    Where there are several UNets the one that is drawn from is taken: not the running mean.
    Raises ValueError if there is none, or more than one all the same.
    """
    for layout, pattern in (("diffusers", _DIFFUSERS), ("CompVis", _COMPVIS)):
        found = [m for name in names if (m := pattern.fullmatch(name)) and not _OTHERS.search(m[1])]
        before = dict.fromkeys(m[1] for m in found)
        plain = [one for one in before if "ema" not in one.lower()] or list(before)
        if len(plain) > 1:
            two = " and ".join(repr(one) for one in plain[:2])
            raise ValueError(f"holds several UNets, after {two}: which is meant is not told")
        if plain:
            start = plain[0]
            own = {name.removeprefix(start): name for name in names if name.startswith(start)}
            return layout, _bare(own, start)
    if text_encoder(names):
        return "transformers", {}
    raise ValueError(f"holds no UNet's weights{_has(names)}")


def text_encoder(names: Iterable[str]) -> dict[str, str]:
    """The stored names of a text encoder's tensors, by their own after TEXT, as `models.disk` names
    them; empty if there is none that transformers would name so. Of several the first counts."""
    found = [m for name in names if (m := _TEXT.fullmatch(name)) and "vision" not in m[1]]
    start = min({m[1] for m in found}, key=len, default="")  # "text_encoder_2." is SDXL's second
    return {f"{TEXT}{m[2]}": m[0] for m in found if m[1] == start}


def _bare(own: dict[str, str], start: str) -> dict[str, str]:
    """Without what is no UNet's where nothing stands before a UNet's names."""
    if start:
        return own
    other = re.compile(
        r"(?:vae|text_encoder|text_model|first_stage_model|cond_stage_model|embeddings)[\w]*\."
    )
    bare = {name: stored for name, stored in own.items() if not other.match(name)}
    return {name: stored for name, stored in bare.items() if not _TEXT.fullmatch(name)}


def _has(names: Collection[str]) -> str:
    some = list(names)[:2]
    if any(
        re.match(r"(?:transformer_blocks|joint_blocks|double_blocks|blocks)\.\d", n) for n in some
    ):
        return ": it is a transformer's, not a UNet's"
    return f"; it has {', '.join(some)}" if some else ": it is empty"


def from_compvis(names: Mapping[str, str]) -> dict[str, str]:
    """The stored names, by diffusers' names instead of the first Stable Diffusion's, as diffusers
    itself converts them: it moves tensors and changes none, so that names may stand in their place.

    Raises ValueError if it cannot.
    """
    from diffusers.loaders.single_file_utils import LDM_UNET_KEY, convert_ldm_unet_checkpoint

    own = list(names)
    down = [int(m[1]) for n in own if (m := re.fullmatch(r"input_blocks\.(\d+)\.0\.op\.weight", n))]
    config: dict[str, int | str] = {"layers_per_block": min(down, default=3) - 1}
    if "label_emb.0.0.weight" in own:
        config["addition_embed_type"] = "text_time"
    try:
        named = {f"{LDM_UNET_KEY}{name}": stored for name, stored in names.items()}
        return convert_ldm_unet_checkpoint(named, config)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise ValueError(
            f"is laid out as no Stable Diffusion that diffusers converts: {error}"
        ) from None


def pruned(own: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """By name, the stored names that a tensor is the product of: its own, or, as
    torch.nn.utils.prune leaves it, the weight as it was and what is left of it."""
    out: dict[str, tuple[str, ...]] = {}
    for name, stored in own.items():
        bare = name.removesuffix(ORIGINAL)
        if name.endswith(ORIGINAL) and f"{bare}{KEPT}" in own:
            out[bare] = (stored, own[f"{bare}{KEPT}"])
        elif not (name.endswith(KEPT) and f"{name.removesuffix(KEPT)}{ORIGINAL}" in own):
            out[name] = (stored,)
    return out


def loras(names: Collection[str]) -> dict[str, tuple[str, str, str | None]]:
    """Of a file of low-rank additions, by the layer that each is added to, as the file calls it:
    the stored names of its two factors, (rank, in) and (out, rank), and of its scale, if it has
    one. Empty if it is no such file."""
    out: dict[str, tuple[str, str, str | None]] = {}
    for name in names:
        if not (found := _LORA.fullmatch(name)):
            continue
        layer, end = found[1], name[len(found[1]) :]
        up = layer + re.sub(r"lora_A", "lora_B", re.sub(r"down", "up", end))
        alpha = f"{layer}.alpha"
        if up in names:
            out[layer] = (name, up, alpha if alpha in names else None)
    return out


def layers_of_loras(layers: Iterable[str], weights: Collection[str]) -> dict[str, str]:
    """By layer of a LoRA file the weight that it is added to; a layer of another part of the
    pipeline has none. weights: a UNet's names, such as "…to_k.weight", and maybe a text encoder's.

    A file may write underscores for dots ("lora_unet_…", as kohya's do), name processors, and have
    something before ("unet.", "base_model.model.").
    """
    flat: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for name in weights:
        if name.endswith(".weight"):
            bare = name.removeprefix(TEXT).removesuffix(".weight")
            flat[name.startswith(TEXT)][_flat(bare)] = name
    out = {}
    for layer in layers:
        if re.match(r"(?:lora_te|text_encoder_|te)2[._]", layer):
            continue
        own = flat[bool(re.match(r"(?:lora_te|text_encoder|te1?[._])", layer))]
        bare = _flat(re.sub(r"\.processor(?=\.)", "", layer))
        bare = re.sub(r"to_out$", "to_out_0", bare)
        known = [one for one in own if bare == one or bare.endswith(f"_{one}")]
        if known:
            out[layer] = own[max(known, key=len)]
    return out


def _flat(name: str) -> str:
    return name.replace(".", "_")
