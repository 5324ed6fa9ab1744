"""Pipelines: loading, a variant's weights put in place, pictures that depend on their seed."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from PIL import Image
from regrowth.files.store import UMASK
from regrowth.models import SCHEDULERS, disk

log = logging.getLogger(__name__)
#: Marks what a long job says of its pace: the driver's terminal is told, too (`job.start`).
PACE = {"pace": True}


def load_pipeline(
    folder: Path, dtype: str, device: str, scheduler: str | None = None
) -> StableDiffusionPipeline:
    """Load a Stable Diffusion directory; no code from it is ever run, and nothing unpickled.

    A CPU computes in float32 whatever `dtype` says. Attention is PyTorch's fused one. scheduler: a
    key of SCHEDULERS, on the model's own schedule; None: the model's own. Raises ValueError if a
    weight is not there: it would be drawn at random.
    """
    diffusers_logging.disable_progress_bar()
    kind = torch.float32 if device == "cpu" else getattr(torch, dtype)
    unused = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    pipe = StableDiffusionPipeline.from_pretrained(
        folder,
        local_files_only=True,
        requires_safety_checker=False,
        **{part: _part(folder, part, kind) for part in disk.PARTS},
        **unused,
    ).to(device)
    pipe.set_progress_bar_config(disable=True)
    if scheduler:
        name, told = SCHEDULERS[scheduler]
        pipe.scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config, **told)
    pipe.unet.to(memory_format=torch.channels_last)
    return pipe


def _part(folder: Path, part: str, dtype: torch.dtype) -> torch.nn.Module:
    """A part of a pipeline, with every one of its weights from the files that `models` names."""
    library, name = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))[part]
    known = {"diffusers": diffusers, "transformers": transformers}
    kind: Any = getattr(known.get(library), name, None)
    ours = isinstance(kind, type) and issubclass(kind, torch.nn.Module)
    if not ours:
        raise ValueError(f"{folder}: {part} is {library}.{name}: custom code, which is never run")
    made, told = kind.from_pretrained(
        folder / part,
        dtype=dtype,
        variant=disk.variant(folder, part),
        local_files_only=True,
        output_loading_info=True,
    )
    if told["missing_keys"]:
        lost = ", ".join(sorted(told["missing_keys"])[:3])
        raise ValueError(f"{disk.files(folder, part)[0]} holds no {lost}")
    return made


def save(pipe: StableDiffusionPipeline, folder: str | Path, dtype: torch.dtype) -> None:
    """Write a directory that `load_pipeline` and `StableDiffusionPipeline.from_pretrained` load,
    its weights in `dtype`, as safetensors. It does not say where the model was read from."""
    pipe.unet.to(memory_format=torch.contiguous_format)  # safetensors holds no other
    for part in (pipe, pipe.unet, pipe.vae):
        part.register_to_config(_name_or_path=None)
    pipe.to(dtype=dtype).save_pretrained(folder)
    for file in Path(folder).rglob("*.safetensors"):
        file.chmod(0o666 & ~UMASK)  # written for its owner alone


def submodule(pipe, name: str) -> torch.nn.Module:
    """The module of a layer's name: the text encoder's, or else the UNet's."""
    if name.startswith("text_encoder."):
        return pipe.text_encoder.get_submodule(name.removeprefix("text_encoder."))
    return pipe.unet.get_submodule(name)


def parameter(pipe, name: str) -> torch.nn.Parameter:
    """A weight or a bias by its name, likewise."""
    module, _, own = name.rpartition(".")
    return getattr(submodule(pipe, module), own)


def put_weights(pipe, weights: Mapping[str, np.ndarray]) -> None:
    """Overwrite the named weights; a name or shape the pipeline does not have is an error."""
    with torch.no_grad():
        for name, value in weights.items():
            weight = parameter(pipe, name)
            if weight.shape != value.shape:
                raise ValueError(f"{name}: {value.shape} does not fit {tuple(weight.shape)}")
            weight.copy_(torch.from_numpy(np.ascontiguousarray(value)))


def round_weights(pipe, names: Iterable[str], rounded: Callable) -> None:
    """Round the named weights where they lie. rounded: one of quantise.ROUNDINGS."""
    with torch.no_grad():
        for name in dict.fromkeys(names):
            weight = parameter(pipe, name)
            weight.copy_(rounded(weight))


def generators(seeds: list[int]) -> list[torch.Generator]:
    """Each picture's own source of noise: on the CPU, so that the device does not show in it."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def noise(pipe: StableDiffusionPipeline, own: list[torch.Generator]) -> torch.Tensor:
    """Each picture's starting noise; what a sampler adds at its steps is drawn after it."""
    size = pipe.unet.config.sample_size
    sides = (size, size) if isinstance(size, int) else size
    shape = (pipe.unet.config.in_channels, *sides)
    draws = [torch.randn(shape, generator=generator) for generator in own]
    return torch.stack(draws).to(pipe.device, pipe.unet.dtype)


def pictures(
    pipe: StableDiffusionPipeline, rows: list[dict], steps: int, guidance: float, batch: int
) -> Iterator[Image.Image]:
    """One picture per row (prompt, seed), in order, `batch` at a time.

    All of a picture's noise, a sampler's at every step too, comes from its own seed. When memory
    runs out the batch is halved, for good; at one picture the error is raised. Raises ValueError
    where a picture holds other than finite numbers, which would be drawn black.
    """
    for made in _drawn(pipe, rows, steps, guidance, batch, "np"):
        yield from pipe.image_processor.numpy_to_pil(made)


def latents(
    pipe: StableDiffusionPipeline, rows: list[dict], steps: int, guidance: float, batch: int
) -> np.ndarray:
    """The same before they are decoded: float32 (rows, channels, height, width)."""
    made = [
        some.float().cpu().numpy() for some in _drawn(pipe, rows, steps, guidance, batch, "latent")
    ]
    return np.concatenate(made)


def _drawn(pipe, rows: list[dict], steps: int, guidance: float, batch: int, what: str) -> Iterator:
    start, at = time.monotonic(), 0
    while at < len(rows):
        some = rows[at : at + batch]
        own = generators([row["seed"] for row in some])
        try:
            made = pipe(
                prompt=[row["prompt"] for row in some],
                latents=noise(pipe, own),
                generator=own,
                num_inference_steps=steps,
                guidance_scale=guidance,
                output_type=what,
            ).images
        except torch.OutOfMemoryError:
            if len(some) == 1:
                raise
            batch = len(some) // 2
            log.warning(
                "out of memory with %d pictures at once; going on with %d", len(some), batch
            )
            torch.cuda.empty_cache()
            continue
        for row, picture in zip(some, made):
            if not (np if what == "np" else torch).isfinite(picture).all():
                kind = str(pipe.unet.dtype).removeprefix("torch.")
                raise ValueError(
                    f"the picture of seed {row['seed']} is not finite: what these weights compute "
                    f"overflows {kind}; `dtype: float32` in the model card holds more"
                )
        yield made
        at += len(some)
        pace = at / (time.monotonic() - start)
        left = (len(rows) - at) / pace / 60
        told = (at, len(rows), pace, left)
        log.info("%d of %d pictures, %.2f a second, %.0f min left", *told, extra=PACE)
