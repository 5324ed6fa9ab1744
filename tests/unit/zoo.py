"""The bundled model's UNet in the forms that people save one in, for tests of audits."""

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from regrowth.files import tensors
from regrowth.run.job import ROOT
from safetensors.torch import save_file

MODEL = ROOT / "resources/demo/model"
UNET = MODEL / "unet/diffusion_pytorch_model.safetensors"
TEXT = MODEL / "text_encoder/model.safetensors"
RETRAINED = ROOT / "resources/demo/retrained"
TO_V = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"

State = dict[str, torch.Tensor]


def unet() -> State:
    held = tensors.read(UNET, tensors.names(UNET))
    return {name: torch.from_numpy(w) for name, w in held.items()}


def text() -> State:
    held = tensors.read(TEXT, tensors.names(TEXT))
    return {name: torch.from_numpy(w) for name, w in held.items()}


def is_ffn2(name: str) -> bool:
    return name.endswith(".ff.net.2.weight")


def holes(state: State, share: float = 0.05) -> dict[str, np.ndarray]:
    """A mask for each ff.net.2, as ConceptPrune's: of some columns more than of others."""
    rng, out = np.random.default_rng(3), {}
    for name in filter(is_ffn2, state):
        w = state[name].float().numpy()
        score = np.abs(w) * np.exp(rng.normal(size=w.shape[1]))
        out[name] = score > np.quantile(score, 1 - share)
    return out


def pruned(state: State, masks: dict[str, np.ndarray]) -> State:
    zeros = {n: torch.where(torch.from_numpy(m), 0, state[n]) for n, m in masks.items()}
    return state | zeros


def compvis(name: str) -> str:
    """A UNet's name in the first Stable Diffusion's layout; of a UNet of four blocks with two
    layers each. Written from the layout, not from what converts it."""
    ends = {
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
    }
    for own, theirs in ends.items():
        if name.startswith(f"{own}."):
            return theirs + name.removeprefix(own)
    resnet = {
        "norm1.": "in_layers.0.",
        "conv1.": "in_layers.2.",
        "time_emb_proj.": "emb_layers.1.",
        "norm2.": "out_layers.0.",
        "conv2.": "out_layers.3.",
        "conv_shortcut.": "skip_connection.",
    }
    part, *rest = re.fullmatch(
        r"(down_blocks|mid_block|up_blocks)\.(?:(\d)\.)?(\w+)\.(\d)\.(.*)", name
    ).groups()
    block, kind, layer, end = rest
    if kind == "resnets":
        own = next(o for o in resnet if end.startswith(o))
        end = resnet[own] + end.removeprefix(own)
    if part == "mid_block":
        return f"middle_block.{1 if kind == 'attentions' else 2 * int(layer)}.{end}"
    if kind == "downsamplers":
        return f"input_blocks.{3 * int(block) + 3}.0.op.{end.removeprefix('conv.')}"
    if kind == "upsamplers":
        place = 1 if block == "0" else 2  # the first up block has no attention
        return f"output_blocks.{3 * int(block) + 2}.{place}.{end}"
    number = 3 * int(block) + int(layer)
    side = f"input_blocks.{number + 1}" if part == "down_blocks" else f"output_blocks.{number}"
    return f"{side}.{int(kind == 'attentions')}.{end}"


def directory(folder: Path, state: State) -> Path:
    (folder / "unet").mkdir()
    save_file(state, folder / "unet/diffusion_pytorch_model.safetensors")
    return folder


def variant(folder: Path, state: State) -> Path:
    (folder / "unet").mkdir()
    save_file(state, folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    return folder


def variant_alone(folder: Path, state: State) -> Path:
    save_file(state, folder / "diffusion_pytorch_model.fp16.safetensors")
    return folder


def as_bin(folder: Path, state: State) -> Path:
    (folder / "unet").mkdir()
    torch.save(state, folder / "unet/diffusion_pytorch_model.bin")
    return folder


def sharded(folder: Path, state: State) -> Path:
    from diffusers import UNet2DConditionModel

    net = UNet2DConditionModel.from_pretrained(MODEL / "unet", torch_dtype=torch.float16)
    net.load_state_dict(state)
    net.save_pretrained(folder / "unet", max_shard_size="4MB")
    return folder


def single(folder: Path, state: State) -> Path:
    save_file(state, folder / "unet.safetensors")
    return folder / "unet.safetensors"


def brain(folder: Path, state: State) -> Path:
    return single(folder, {name: w.bfloat16() for name, w in state.items()})


def whole(folder: Path, state: State) -> Path:
    own = {f"unet.{n}": w for n, w in state.items()}
    own["vae.encoder.down_blocks.0.resnets.0.conv1.weight"] = torch.ones(2, 2, 3, 3)
    own["text_encoder.logit_scale"] = torch.ones(2, 2)
    save_file(own, folder / "model.safetensors")
    return folder / "model.safetensors"


def first_layout(folder: Path, state: State) -> Path:
    own = {f"model.diffusion_model.{compvis(n)}": w for n, w in state.items()}
    own["first_stage_model.encoder.down.0.block.0.conv1.weight"] = torch.ones(2, 2, 3, 3)
    own["model_ema.diffusion_modelinput_blocks00weight"] = torch.ones(2, 2, 3, 3)
    torch.save({"state_dict": own, "global_step": 7}, folder / "model.ckpt")
    return folder / "model.ckpt"


LIGHTNING = "pytorch_lightning.callbacks.model_checkpoint"


@contextmanager
def lightning():
    """The class of PyTorch Lightning that its checkpoints name, while one is written. Whoever reads
    it has no such module."""
    made = type("ModelCheckpoint", (), {"__module__": LIGHTNING})
    parts = LIGHTNING.split(".")
    for n in range(len(parts)):
        name = ".".join(parts[: n + 1])
        sys.modules[name] = ModuleType(name)
    sys.modules[LIGHTNING].ModelCheckpoint = made
    try:
        yield made
    finally:
        for n in range(len(parts)):
            del sys.modules[".".join(parts[: n + 1])]


def trained(folder: Path, state: State, **more) -> Path:
    """As the released Stable Diffusion 1 files are: what the trainer kept stands beside weights."""
    with lightning() as callback:
        kept = callback()
        kept.best = np.float64(0.5)  # a NumPy scalar, of a class that is no tensor's
        own = {f"model.diffusion_model.{compvis(n)}": w for n, w in state.items()}
        about = {callback: {"monitor": "loss", "best": np.float64(0.5)}, "kept": kept}
        steps = [{"state": {0: {"exp_avg": torch.ones(3)}}, "lr": 1e-4}]
        told = {"epoch": 3, "callbacks": about, "optimizer_states": steps, "state_dict": own}
        torch.save(told | more, folder / "model.ckpt")
    return folder / "model.ckpt"


def before(text: str):
    def write(folder: Path, state: State) -> Path:
        torch.save({f"{text}{n}": w for n, w in state.items()}, folder / "unet.pt")
        return folder / "unet.pt"

    return write


def averaged(folder: Path, state: State) -> Path:
    """Beside its own running mean."""
    own = {f"model.{n}": w for n, w in state.items()}
    torch.save(own | {f"model_ema.{n}": w + 1 for n, w in state.items()}, folder / "unet.pt")
    return folder / "unet.pt"


def masked(folder: Path, state: State) -> Path:
    """As torch.nn.utils.prune leaves it."""
    own = {n: w for n, w in state.items() if not is_ffn2(n)}
    for name in filter(is_ffn2, state):
        kept = (state[name] != 0).to(state[name].dtype)
        own |= {f"{name}_orig": torch.where(kept == 0, 7, state[name]), f"{name}_mask": kept}
    torch.save(own, folder / "unet.pt")
    return folder / "unet.pt"


FORMS = {
    "directory": directory,
    "fp16 variant": variant,
    "fp16 variant of a UNet alone": variant_alone,
    ".bin": as_bin,
    "sharded": sharded,
    "one file": single,
    "bfloat16": brain,
    "whole model": whole,
    "CompVis": first_layout,
    "CompVis, as its trainer left it": trained,
    "unet.": before("unet."),
    "module.": before("module."),
    "compiled": before("module._orig_mod."),
    "model_ema. alone": before("model_ema."),
    "running mean beside": averaged,
    "torch.nn.utils.prune": masked,
}


def pipeline(folder: Path, state: State, text: State) -> Path:
    (folder / "text_encoder").mkdir()
    # As transformers wrote it until lately, with what is no weight.
    own = {f"text_model.{name}": w for name, w in text.items()}
    own["text_model.embeddings.position_ids"] = torch.arange(24).unsqueeze(0)
    save_file(own, folder / "text_encoder/model.safetensors")
    return directory(folder, state)


def whole_with_text(folder: Path, state: State, text: State) -> Path:
    own = {f"text_encoder.text_model.{n}": w for n, w in text.items()}
    more = {"text_encoder.text_model.embeddings.position_ids": torch.arange(24).unsqueeze(0)}
    more["safety_checker.vision_model.vision_model.encoder.layers.0.mlp.fc2.weight"] = torch.ones(2)
    save_file(own | more | {f"unet.{n}": w for n, w in state.items()}, folder / "x.safetensors")
    return folder / "x.safetensors"


def first_with_text(folder: Path, state: State, text: State) -> Path:
    before = "cond_stage_model.transformer.text_model."
    file = first_layout(folder, state)
    held = torch.load(file, weights_only=True)
    held["state_dict"] |= {f"{before}{n}": w for n, w in text.items()}
    torch.save(held, file)
    return file


def text_alone(folder: Path, state: State, text: State) -> Path:
    save_file(text | {"text_projection.weight": torch.ones(2, 2)}, folder / "model.safetensors")
    return folder


def text_in_a_file(folder: Path, state: State, text: State) -> Path:
    torch.save({f"text_model.{n}": w for n, w in text.items()}, folder / "te.pt")
    return folder / "te.pt"


#: With a text encoder; whether with a UNet, too.
WITH_TEXT = {
    "pipeline": (pipeline, True),
    "whole model": (whole_with_text, True),
    "CompVis": (first_with_text, True),
    "text encoder's directory": (text_alone, False),
    "text encoder's file": (text_in_a_file, False),
}


def factors(rank: int = 2, name: str = TO_V) -> tuple[torch.Tensor, torch.Tensor]:
    out, into = unet()[f"{name}.weight"].shape
    draw = torch.Generator().manual_seed(1)
    return (
        torch.randn(rank, into, generator=draw) / 10,
        torch.randn(out, rank, generator=draw) / 10,
    )


def kohya(name: str) -> str:
    return "lora_unet_" + name.replace(".", "_")


#: By how it is written: the names of the two factors and of the scale; None where there is none.
LORAS = {
    "peft": (f"unet.{TO_V}.lora_A.weight", f"unet.{TO_V}.lora_B.weight", None),
    "diffusers": (f"unet.{TO_V}.lora.down.weight", f"unet.{TO_V}.lora.up.weight", None),
    "processors": (
        f"{TO_V.removesuffix('.to_v')}.processor.to_v_lora.down.weight",
        f"{TO_V.removesuffix('.to_v')}.processor.to_v_lora.up.weight",
        None,
    ),
    "kohya": (
        f"{kohya(TO_V)}.lora_down.weight",
        f"{kohya(TO_V)}.lora_up.weight",
        f"{kohya(TO_V)}.alpha",
    ),
    "trained by peft": (
        f"base_model.model.{TO_V}.lora_A.default.weight",
        f"base_model.model.{TO_V}.lora_B.default.weight",
        None,
    ),
}


def lora(folder: Path, how: str) -> Path:
    down, up = factors()
    first, second, scale = LORAS[how]
    own = {first: down, second: up} | ({scale: torch.tensor(1.0)} if scale else {})
    own["lora_te_text_model_encoder_layers_0_mlp_fc2.lora_down.weight"] = torch.ones(2, 4)
    own["lora_te_text_model_encoder_layers_0_mlp_fc2.lora_up.weight"] = torch.ones(4, 2)
    save_file(own, folder / "lora.safetensors")
    return folder / "lora.safetensors"
