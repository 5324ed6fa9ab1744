"""MemoRa's pictures: few of a concept are inverted in the released model, and it draws what lies
between them (a reconstruction: at the sampler's own steps and guidance)."""

import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from regrowth.learn.losses import Noised, embedded, sampled
from regrowth.learn.pictures import Pictures

#: As in its code: of three pairs eleven each, ends among them, from the 15th of 50 steps on.
PAIRS, EACH, BEGUN = 3, 11, 15 / 50


def between(pipe, pictures: Pictures, steps: int, guidance: float, batch: int) -> Pictures:
    """PAIRS × EACH pictures, or fewer pairs where there are fewer pictures, with the prompt of the
    nearer end. pictures: the first of them are the pairs. Raises ValueError for less than one pair.
    """
    pairs = min(PAIRS, len(pictures.prompts) // 2)
    if not pairs:
        raise ValueError("pictures lie between two: at least two are wanted")
    ends = pictures.batch(torch.arange(2 * pairs))
    noisy = _walked(pipe, ends, DDIMInverseScheduler, steps, guidance, batch)
    shares = torch.linspace(0, 1, EACH)
    latents, prompts = [], []
    for at in range(0, 2 * pairs, 2):
        latents += [slerp(noisy[at], noisy[at + 1], float(share)) for share in shares]
        prompts += [ends.prompts[at + (share > 0.5)] for share in shares.tolist()]
    begun = Pictures(torch.stack(latents), prompts)
    return Pictures(_walked(pipe, begun, DDIMScheduler, steps, guidance, batch), prompts)


def slerp(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    """The latent `share` of the way on the great circle from one to the other."""
    cosine = torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin().abs() < 1e-6:
        return torch.lerp(one, other, share)
    return (((1 - share) * angle).sin() * one + (share * angle).sin() * other) / angle.sin()


@torch.no_grad()
def _walked(pipe, told: Pictures, kind, steps: int, guidance: float, batch: int) -> torch.Tensor:
    """Latents after all steps of DDIM or of its inverse but for those above where it is begun."""
    walk = kind.from_config(pipe.scheduler.config, clip_sample=False)
    walk.set_timesteps(steps, device=pipe.device)
    left = max(1, steps - round(BEGUN * steps))
    times = walk.timesteps[:left] if kind is DDIMInverseScheduler else walk.timesteps[-left:]
    found = []
    for rows in torch.arange(len(told.prompts)).split(batch):
        some = told.batch(rows)
        words, here = embedded(pipe, some.prompts), some.latents
        for time in times:
            noised = Noised(here, time.expand(len(here)), here)
            here = walk.step(sampled(pipe, noised, words, guidance), int(time), here).prev_sample
        found.append(here)
    return torch.cat(found)
