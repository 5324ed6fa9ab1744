"""Memory that is counted where nothing is computed: bytes of tensors on the device `meta`."""

import weakref
from collections.abc import Callable

import torch
from diffusers import StableDiffusionPipeline
from regrowth.demo import rehearsal
from regrowth.demo.train import scheduler
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

ATTENTION = functional.scaled_dot_product_attention


class Counted(TorchDispatchMode):
    """Bytes of the tensors on the device `meta` that are alive, and the most there were. What
    computing would tell is 1, and what is fetched from there 0."""

    def __init__(self):
        super().__init__()
        self.now, self.most, self.known = 0, 0, WeakIdKeyDictionary()

    def see(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self.known:
            self.known[storage] = size = storage.nbytes()
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self.gone, size)

    def gone(self, size: int) -> None:
        self.now -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        told, aten = kwargs or {}, torch.ops.aten
        if func is aten._local_scalar_dense.default and args[0].is_meta:
            return True if args[0].dtype == torch.bool else 1.0
        if func is aten._to_copy.default and args[0].is_meta and str(told.get("device")) == "cpu":
            one = torch.zeros(1, dtype=told.get("dtype") or args[0].dtype)
            return one.expand(args[0].shape)
        made = func(*args, **told)
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and tensor.is_meta:
                self.see(tensor)
        return made


def sd15() -> StableDiffusionPipeline:
    """A pipeline of SD-v1.5's layout, with neither weights nor a VAE."""
    with torch.device("meta"):
        tokenizer = rehearsal.demo_tokenizer()
        parts = {"unet": rehearsal.new_unet().eval(), "tokenizer": tokenizer}
        parts["text_encoder"] = rehearsal.new_text_encoder(tokenizer).eval()
    rest = dict.fromkeys(("vae", "safety_checker", "feature_extractor"))
    return StableDiffusionPipeline(
        **parts, **rest, scheduler=scheduler(), requires_safety_checker=False
    )


def peak(pipe: StableDiffusionPipeline, use: Callable[[], object]) -> tuple[int, int]:
    """The most bytes that are alive while a pipeline is used, and its own. By attention that keeps
    no map of who attends to whom, as a GPU has it."""
    counter = Counted()
    for part in (pipe.unet, pipe.text_encoder):
        for tensor in (*part.parameters(), *part.buffers()):
            counter.see(tensor)
    own = counter.now
    functional.scaled_dot_product_attention = _attention
    try:
        with counter:
            use()
    finally:
        functional.scaled_dot_product_attention = ATTENTION
    return counter.most, own


def _attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, **told):
    if not torch.backends.cuda.mem_efficient_sdp_enabled():  # what is derived twice
        return ATTENTION(q, k, v, attn_mask, dropout_p, is_causal, scale=scale, **told)
    kept = torch.is_grad_enabled()
    return torch.ops.aten._scaled_dot_product_efficient_attention(
        q, k, v, attn_mask, kept, dropout_p, is_causal, scale=scale
    )[0]
