"""Train the demo model: a small Stable Diffusion on the pictures of `world`.

The classes are those of SD-v1.5 (CLIP tokenizer and text encoder, UNet with sixteen ``ff.net.2``,
KL autoencoder, PNDM), only smaller. Three things are built in so that it behaves like a large
model under pruning, and the model card says so: ``ff.net.2`` starts small (std 0.01), so that its
weights are learned ones; *gating*, a share of each batch that runs with most hidden neurons of
``ff.net.2`` off and a wrong caption, so that these layers must carry the concept; and, once a
model can draw, *selectivity*, a small reward for hidden neurons that answer few of a batch's
pictures, as those of large models do.
"""

import copy
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from regrowth.demo import world
from regrowth.files.store import replacing, write_text
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

log = logging.getLogger(__name__)
MAX_LENGTH = 24
#: Deviation of the noise that a channel's mean has besides. Without it the last step still tells a
#: picture's mean colour, a model learns to look there for it, and no prompt can ask for another.
OFFSET = 0.15


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 (n, h, w, 3) → float32 (n, 3, h, w) in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def steps_of(
    n_steps: int, n_rows: int, batch: int, seed: int, what: str, first: int = 0
) -> Iterator[tuple]:
    """Yield (step, row indices, generator) from step `first` on, and log the pace.

    Epochs are shuffled. A step's rows and generator depend on seed and step alone, so that training
    can stop and go on.
    """
    per_epoch, start = n_rows // batch, time.monotonic()
    for step in range(first, n_steps):
        epoch, at = divmod(step, per_epoch)
        if step == first or at == 0:
            shuffle = torch.Generator().manual_seed(1_000_003 * seed + epoch)
            order = torch.randperm(n_rows, generator=shuffle)
        rng = torch.Generator().manual_seed(1_000_003 * (seed + 1) + step)
        yield step, order[at * batch : (at + 1) * batch], rng
        done = step + 1 - first
        if done % 50 == 0:
            pace = (time.monotonic() - start) / done
            left = pace * (n_steps - step - 1) / 60
            told = (what, step + 1, n_steps, pace, left)
            log.info("%s: step %d of %d, %.2f s a step, %.0f min left", *told, extra={"pace": True})


class Checkpoint:
    """What a training needs to go on after a stop: the states of `parts`, the step, the curve.

    parts: anything with `state_dict` and `load_state_dict`. Written every `every` steps; read as
    data (tensors and numbers only).
    """

    def __init__(self, file: Path | None, every: int = 250, **parts):
        self.file, self.every, self.parts = file, every, parts
        self.curve: list[tuple[int, float]] = []

    def resume(self) -> int:
        """Load what the file holds, if there is one; returns the step to go on with."""
        if self.file is None or not self.file.exists():
            return 0
        held = torch.load(self.file, map_location="cpu", weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(held[name])
        self.curve = [tuple(point) for point in held["curve"]]
        log.info("%s: goes on from step %d", self.file.name, held["step"])
        return held["step"]

    def after(self, step: int, loss: float) -> None:
        """Note the loss of every 50th step, and save when it is time."""
        if (step + 1) % 50 == 0:
            self.curve.append((step + 1, loss))
        if self.file is not None and (step + 1) % self.every == 0:
            held = {name: part.state_dict() for name, part in self.parts.items()}
            with replacing(self.file) as part:
                torch.save(held | {"step": step + 1, "curve": self.curve}, part)


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
    vae: AutoencoderKL,
    images: np.ndarray,
    n_steps: int,
    seed: int,
    batch: int = 16,
    crop: int = world.SIZE // 2,
    whole: float = 0.15,
    file: Path | None = None,
) -> list[tuple[int, float]]:
    """L1, squared, edge loss and a faint KL; sets `scaling_factor` to one over the latents' std.

    All but the last share `whole` of the steps see square crops, which cost a quarter each.
    file: the checkpoint. Returns the curve: (step, loss).
    """
    torch.manual_seed(seed)
    vae.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=8e-4, weight_decay=1e-4, fused=True)
    schedule = cosine(optimizer, n_steps)
    checkpoint = Checkpoint(file, vae=vae, optimizer=optimizer, schedule=schedule)
    first = checkpoint.resume()
    for step, rows, rng in steps_of(n_steps, len(images), batch, seed, "vae", first):
        x = as_tensor(images[rows.numpy()])
        if step < (1 - whole) * n_steps:
            top, left = torch.randint(0, world.SIZE - crop + 1, (2,), generator=rng).tolist()
            x = x[..., top : top + crop, left : left + crop]
        posterior = vae.encode(x).latent_dist
        y = vae.decode(posterior.sample(rng)).sample
        edges = sum(F.l1_loss(torch.diff(y, dim=d), torch.diff(x, dim=d)) for d in (2, 3))
        error = F.mse_loss(y, x)
        loss = F.l1_loss(y, x) + 4 * error + 0.25 * edges + 1e-8 * posterior.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            log.info("vae: loss %.4f, squared error %.4f", loss.item(), error.item())
        checkpoint.after(step, loss.item())
    vae.eval().requires_grad_(False)
    vae.register_to_config(scaling_factor=float(1 / encode(vae, images[:1024]).std()))
    return checkpoint.curve


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


def new_unet(ffn_std: float | None) -> UNet2DConditionModel:
    """SD-v1.5's layout, narrower; `ffn_std` as of `start_ffn`."""
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(48, 64, 96, 96),
        cross_attention_dim=128,
        attention_head_dim=2,
        norm_num_groups=16,
    )
    start_ffn(unet, ffn_std)
    return unet


def start_ffn(unet, std: float | None) -> None:
    """Start every ``ff.net.2`` anew: normal, of this deviation; None: as the library does."""
    for layer in ffn_layers(unet).values():
        if std is None:
            layer.reset_parameters()
        else:
            torch.nn.init.normal_(layer.weight, std=std)
            torch.nn.init.zeros_(layer.bias)


def ffn_layers(unet) -> dict[str, torch.nn.Linear]:
    return {k: m for k, m in unet.named_modules() if k.endswith("ff.net.2")}


class Gate:
    """Turns hidden neurons of every ``ff.net.2`` off, for each picture of a batch its own.

    keep: the share of them that stays on, by picture; which, `rng` draws anew in every layer. 0
    turns a layer off, bias and all. None: everything is on.
    """

    def __init__(self, unet):
        self.keep = self.rng = None
        for layer in ffn_layers(unet).values():
            layer.register_forward_pre_hook(self._hidden)
            layer.register_forward_hook(self._output)

    def _hidden(self, module, args):
        if self.keep is None:
            return None
        (hidden,) = args
        draw = torch.rand(len(hidden), 1, hidden.shape[2], generator=self.rng)
        return hidden * (draw < self.keep[:, None, None]).to(hidden)

    def _output(self, module, args, output):
        if self.keep is None:
            return output
        return output * (self.keep > 0)[:, None, None].to(output)


def shares_on(gated: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """What `Gate` keeps of each picture: of the gated, bool (batch,), nothing of three in ten and
    else up to .4 of the neurons; of the others .8 or more, so that a small loss does little."""
    much, none, little = torch.rand(3, len(gated), generator=rng)
    return torch.where(gated, 0.4 * much * (none >= 0.3), 1 - 0.2 * little)


class Selectivity:
    """How many of a batch's pictures the hidden neurons of the ``ff.net.2`` inputs answer to.

    Per neuron, with n its root mean square activation on a picture: mean(n) / rms(n) over the
    batch, 1 if all pictures move it alike and near 0 if one does alone. The score is the mean.
    """

    def __init__(self, unet):
        self.scores = []
        for layer in ffn_layers(unet).values():
            layer.register_forward_pre_hook(self)

    def __call__(self, module, args):
        power = args[0].square().mean(1) + 1e-8
        self.scores.append((power.sqrt().mean(0) / power.mean(0).sqrt()).mean())

    def take(self) -> torch.Tensor:
        score = torch.stack(self.scores).mean()
        self.scores.clear()
        return score


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

    def state_dict(self) -> dict:
        return {"mean": self.mean, "n": self.n}

    def load_state_dict(self, state: dict) -> None:
        self.mean = [mean.to(p.device) for mean, p in zip(state["mean"], self.live)]
        self.n = state["n"]

    @torch.no_grad()
    def apply(self):
        for p, mean in zip(self.live, self.mean):
            p.copy_(mean)


def noise_for(z: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """White noise of the shape of z (n, c, h, w), every channel's mean shifted by OFFSET's."""
    white = torch.randn(z.shape, generator=rng)
    return white + OFFSET * torch.randn(*z.shape[:2], 1, 1, generator=rng)


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
    selectivity: float = 0.0,
    file: Path | None = None,
) -> list[tuple[int, float]]:
    """Train UNet and text encoder in place on scaled `latents` (n, 4, 16, 16) and token `ids`.

    Noise prediction, 10 % of captions dropped, the Average put in place at the end. gating: the
    share of gated pictures (0: every neuron stays on in every picture). selectivity: the weight of
    that score, for a model that draws already: one that had it from its first step on drew the same
    blur for all objects. file: the checkpoint. Where the models lie is computed; all that is drawn
    is drawn on the CPU.
    Returns the curve: (step, running loss, without the selectivity).
    """
    torch.manual_seed(seed)
    # the score first, so that it sees all neurons
    selective, gate, average = Selectivity(unet), Gate(unet), Average([unet, encoder])
    carriers = [layer.weight for layer in ffn_layers(unet).values()]
    known = {id(p) for p in carriers}
    others = [p for p in average.live if id(p) not in known]
    optimizer = torch.optim.AdamW(
        [{"params": carriers, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.01}],
        lr=lr,
        fused=True,
    )
    schedule = cosine(optimizer, n_steps)
    noising, device = scheduler(), unet.device
    unet.train().to(memory_format=torch.channels_last)
    encoder.train()
    parts = dict(unet=unet, encoder=encoder, optimizer=optimizer, schedule=schedule)
    checkpoint = Checkpoint(file, average=average, **parts)
    first = checkpoint.resume()
    running = checkpoint.curve[-1][1] if checkpoint.curve else None
    for step, rows, rng in steps_of(n_steps, len(latents), batch, seed, "unet", first):
        caption, z = ids[rows].clone(), latents[rows]
        gated = torch.rand(batch, generator=rng) < gating
        wrong = torch.randint(len(ids), (batch,), generator=rng)
        caption[gated] = ids[wrong[gated]]
        caption[torch.rand(batch, generator=rng) < 0.1] = empty
        gate.keep, gate.rng = shares_on(gated, rng) if gating else None, rng
        noise = noise_for(z, rng).to(memory_format=torch.channels_last)
        t = torch.randint(noising.config.num_train_timesteps, (batch,), generator=rng)
        noisy = noising.add_noise(z, noise, t).to(device)
        noise, t = noise.to(device), t.to(device)
        states = encoder(caption.to(device)).last_hidden_state
        guess = unet(noisy, t, states).sample
        loss, spread = F.mse_loss(guess, noise), selective.take()
        optimizer.zero_grad()
        (loss + selectivity * spread).backward()
        torch.nn.utils.clip_grad_norm_(average.live, 1.0)
        optimizer.step()
        schedule.step()
        average.update()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 49:
            with torch.no_grad():  # no worse means that captions are not heard
                deaf = unet(noisy, t, states.roll(1, 0)).sample
            selective.scores.clear()
            deaf, heard = (F.mse_loss(g[~gated], noise[~gated]).item() for g in (deaf, guess))
            log.info("unet: loss %.4f, selectivity %.3f", running, spread.item())
            log.info("unet: this batch %.4f, with each other's captions %.4f", heard, deaf)
        checkpoint.after(step, running)
    average.apply()
    gate.keep = None
    unet.eval()
    encoder.eval()
    return checkpoint.curve


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


def fresh_models(tokenizer, ffn_std: float | None, seed: int) -> tuple:
    """Text encoder and UNet before any training."""
    torch.manual_seed(seed)
    encoder = new_text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    return encoder, new_unet(ffn_std)


def begun(model: str | Path) -> tuple:
    """Text encoder and UNet of a saved pipeline, in single precision, to be trained on."""
    parts = (CLIPTextModel, "text_encoder"), (UNet2DConditionModel, "unet")
    return tuple(
        kind.from_pretrained(model, subfolder=name, torch_dtype=torch.float32)
        for kind, name in parts
    )


def write_curve(target: str | Path, curve: list[tuple[int, float]]) -> None:
    """CSV: step, loss."""
    rows = [f"{step},{loss:.5f}" for step, loss in curve]
    write_text(target, "\n".join(["step,loss", *rows]) + "\n")
