"""Train the demo model: a small Stable Diffusion on the pictures of `world`.

The classes are those of SD-v1.5 (CLIP tokenizer and text encoder, UNet with sixteen ``ff.net.2``,
KL autoencoder, PNDM), only smaller. Two things are built in so that it behaves like a large model
under pruning, and the model card says so: ``ff.net.2`` starts small (std 0.01), so that its weights
are learned ones; and *gating*, a share of each batch that runs with the ``ff.net.2`` outputs off
and a wrong caption, so that these layers must carry the concept.
"""

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from regrowth.demo import world
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

log = logging.getLogger(__name__)
MAX_LENGTH = 24


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 (n, h, w, 3) → float32 (n, 3, h, w) in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def steps_of(n_steps: int, n_rows: int, batch: int, seed: int, what: str) -> Iterator[tuple]:
    """Yield (step, row indices, generator) and log the pace; epochs are shuffled."""
    rng = torch.Generator().manual_seed(seed)
    order, at, start = torch.randperm(n_rows, generator=rng), 0, time.monotonic()
    for step in range(n_steps):
        if at + batch > n_rows:
            order, at = torch.randperm(n_rows, generator=rng), 0
        yield step, order[at : at + batch], rng
        at += batch
        if step % 50 == 49:
            pace = (time.monotonic() - start) / (step + 1)
            log.info("%s: step %d of %d, %.2f s a step", what, step + 1, n_steps, pace)


def cosine(optimizer, n_steps: int, warmup: int = 50):
    def factor(step):
        return min(1, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / n_steps))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def make_tokenizer(captions: list[str], vocab_size: int = 900) -> CLIPTokenizer:
    """A CLIP tokenizer whose byte-pair merges were learned on the world's own captions."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    bpe.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            initial_alphabet=alphabet,
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            end_of_word_suffix="</w>",
        ),
    )
    import json

    model = json.loads(bpe.to_str())["model"]
    vocab = dict(model["vocab"])
    for letter in alphabet:  # every byte can end a word, so no caption is out of vocabulary
        vocab.setdefault(letter + "</w>", len(vocab))
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_LENGTH)
    return tokenizer


def token_ids(tokenizer, captions: list[str]) -> torch.Tensor:
    """int64 (n, MAX_LENGTH), padded as the pipeline pads."""
    return tokenizer(
        captions,
        padding="max_length",
        max_length=MAX_LENGTH,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def new_vae() -> AutoencoderKL:
    vae = AutoencoderKL(
        block_out_channels=(16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=world.SIZE,
    )
    with torch.no_grad():  # a small variance to begin with, or the latents start as noise
        vae.quant_conv.bias[4:] = -5
    return vae


def train_vae(
    vae: AutoencoderKL, images: np.ndarray, n_steps: int, seed: int, batch: int = 16
) -> None:
    """L1, squared, edge loss and a faint KL; sets `scaling_factor` to one over the latents' std."""
    torch.manual_seed(seed)
    vae.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=2e-3, weight_decay=1e-4, fused=True)
    schedule = cosine(optimizer, n_steps)
    for step, rows, _ in steps_of(n_steps, len(images), batch, seed, "vae"):
        x = as_tensor(images[rows.numpy()])
        posterior = vae.encode(x).latent_dist
        y = vae.decode(posterior.sample()).sample
        edges = sum(F.l1_loss(torch.diff(y, dim=d), torch.diff(x, dim=d)) for d in (2, 3))
        loss = F.l1_loss(y, x) + 4 * F.mse_loss(y, x) + 0.5 * edges + 1e-8 * posterior.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            log.info("vae: loss %.4f, squared error %.4f", loss.item(), F.mse_loss(y, x).item())
    vae.eval().requires_grad_(False)
    vae.register_to_config(scaling_factor=float(1 / encode(vae, images[:1024]).std()))


@torch.no_grad()
def encode(vae: AutoencoderKL, images: np.ndarray, batch: int = 256) -> torch.Tensor:
    """Unscaled latent means, float32 (n, 4, 16, 16)."""
    rows = (as_tensor(images[i : i + batch]) for i in range(0, len(images), batch))
    return torch.cat([vae.encode(x).latent_dist.mean for x in rows])


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: torch.Tensor, batch: int = 256) -> np.ndarray:
    """Unscaled latents → uint8 (n, 64, 64, 3)."""
    out = [vae.decode(z).sample for z in latents.split(batch)]
    pixels = (torch.cat(out).clamp(-1, 1) + 1) * 127.5
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def new_text_encoder(vocab_size: int, bos: int, eos: int) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=MAX_LENGTH,
        projection_dim=128,
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=eos,
    )
    encoder = CLIPTextModel(config)
    torch.nn.init.normal_(encoder.get_input_embeddings().weight, std=0.5)
    return encoder


def new_unet(ffn_std: float) -> UNet2DConditionModel:
    """SD-v1.5's layout, narrower. `ffn_std`: the start of every ``ff.net.2`` weight."""
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(48, 64, 96, 96),
        cross_attention_dim=128,
        attention_head_dim=2,
        norm_num_groups=16,
    )
    for layer in ffn_layers(unet).values():
        torch.nn.init.normal_(layer.weight, std=ffn_std)
        torch.nn.init.zeros_(layer.bias)
    return unet


def ffn_layers(unet) -> dict[str, torch.nn.Linear]:
    return {k: m for k, m in unet.named_modules() if k.endswith("ff.net.2")}


class Gate:
    """Multiplies the output of every ``ff.net.2`` by one number per picture."""

    def __init__(self, unet):
        self.open = None
        for layer in ffn_layers(unet).values():
            layer.register_forward_hook(self)

    def __call__(self, module, args, output):
        return output if self.open is None else output * self.open[:, None, None].to(output.dtype)


class Average:
    """Exponential moving average of the parameters, with the usual early ramp."""

    def __init__(self, modules, decay: float = 0.998):
        self.live = [p for m in modules for p in m.parameters()]
        self.mean = [p.detach().clone() for p in self.live]
        self.decay, self.n = decay, 0

    @torch.no_grad()
    def update(self):
        self.n += 1
        decay = min(self.decay, (1 + self.n) / (10 + self.n))
        torch._foreach_lerp_(self.mean, self.live, 1 - decay)

    @torch.no_grad()
    def apply(self):
        for p, mean in zip(self.live, self.mean):
            p.copy_(mean)


def train_unet(
    latents: torch.Tensor,
    ids: torch.Tensor,
    empty: torch.Tensor,
    encoder: CLIPTextModel,
    unet: UNet2DConditionModel,
    n_steps: int,
    seed: int,
    batch: int = 32,
    lr: float = 8e-4,
    gating: float = 0.25,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train UNet and text encoder in place on scaled `latents` (n, 4, 16, 16) and token `ids`.

    Noise prediction, 10 % of captions dropped, the Average put in place at the end.
    """
    torch.manual_seed(seed)
    gate, average = Gate(unet), Average([unet, encoder])
    carriers = [layer.weight for layer in ffn_layers(unet).values()]
    known = {id(p) for p in carriers}
    others = [p for p in average.live if id(p) not in known]
    optimizer = torch.optim.AdamW(
        [{"params": carriers, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.01}],
        lr=lr,
        fused=True,
    )
    schedule = cosine(optimizer, n_steps)
    noising = scheduler()
    unet.train().to(memory_format=torch.channels_last)
    encoder.train()
    running = None
    for step, rows, rng in steps_of(n_steps, len(latents), batch, seed, "unet"):
        caption, z = ids[rows].clone(), latents[rows]
        gated = torch.rand(batch, generator=rng) < gating
        wrong = torch.randint(len(ids), (batch,), generator=rng)
        caption[gated] = ids[wrong[gated]]
        caption[torch.rand(batch, generator=rng) < 0.1] = empty
        gate.open = (~gated).float()
        noise = torch.randn(z.shape, generator=rng).to(memory_format=torch.channels_last)
        t = torch.randint(noising.config.num_train_timesteps, (batch,), generator=rng)
        states = encoder(caption).last_hidden_state
        guess = unet(noising.add_noise(z, noise, t), t, states).sample
        loss = F.mse_loss(guess, noise)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(average.live, 1.0)
        optimizer.step()
        schedule.step()
        average.update()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 49:
            log.info("unet: loss %.4f", running)
            report(step + 1, running)
    average.apply()
    gate.open = None
    unet.eval()
    encoder.eval()


def scheduler() -> PNDMScheduler:
    """SD-v1.5's own scheduler."""
    return PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def save_pipeline(target: Path, vae, encoder, tokenizer, unet) -> None:
    """Write a directory that `StableDiffusionPipeline.from_pretrained` loads, in half precision."""
    StableDiffusionPipeline(
        vae=copy.deepcopy(vae),
        text_encoder=copy.deepcopy(encoder),
        tokenizer=tokenizer,
        unet=copy.deepcopy(unet),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(torch.float16).save_pretrained(target, safe_serialization=True)


def train_everything(
    model: Path,
    judges: Path,
    curve: Path,
    pictures: int,
    vae_steps: int,
    unet_steps: int,
    resnet_steps: int,
    clip_steps: int,
    gating: float,
    ffn_std: float,
    seed: int,
) -> None:
    """Render the world, train the model and its judges, write both folders and the loss curve."""
    from regrowth.demo import train_judges

    images, captions, contents = world.pictures(pictures, seed)
    tokenizer = make_tokenizer(captions)
    vae = new_vae()
    train_vae(vae, images, vae_steps, seed)
    latents = encode(vae, images)
    torch.manual_seed(seed)
    encoder = new_text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    unet = new_unet(ffn_std)
    losses = ["step,loss"]
    train_unet(
        latents * vae.config.scaling_factor,
        token_ids(tokenizer, captions),
        token_ids(tokenizer, [""])[0],
        encoder,
        unet,
        unet_steps,
        seed,
        gating=gating,
        report=lambda step, loss: losses.append(f"{step},{loss:.5f}"),
    )
    save_pipeline(model, vae, encoder, tokenizer, unet)
    train_judges.train_all(
        judges,
        images,
        decode(vae, latents),
        captions,
        contents,
        tokenizer,
        resnet_steps,
        clip_steps,
        seed,
    )
    curve.write_text("\n".join(losses) + "\n")
