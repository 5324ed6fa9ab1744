"""Pictures in batches: each made once, from its own seed, whatever the batch and the memory."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler, LCMScheduler
from regrowth.draw import pipeline
from small_unet import small_pipe

ROWS = [{"prompt": f"an image of a {name}", "seed": 3 + i} for i, name in enumerate("abcdefghijk")]


class Pipe:
    """Draws (the prompt's last letter, its noise's first value, what its sampler draws after that);
    runs out of memory above `room` pictures."""

    def __init__(self, room: int):
        self.room, self.batches = room, []
        config = SimpleNamespace(sample_size=4, in_channels=2)
        self.unet = SimpleNamespace(config=config, dtype=torch.float32)
        self.device = torch.device("cpu")
        self.image_processor = SimpleNamespace(numpy_to_pil=lambda a: list(map(tuple, a.tolist())))

    def __call__(self, prompt, latents, generator, num_inference_steps, guidance_scale, **more):
        assert len(prompt) == len(latents) == len(generator)
        assert (num_inference_steps, guidance_scale) == (5, 2.0) and more == {"output_type": "np"}
        self.batches.append(len(prompt))
        later = [torch.randn(1, generator=g).item() for g in generator]
        if len(prompt) > self.room:
            raise torch.OutOfMemoryError
        drawn = zip(map(ord, (p[-1] for p in prompt)), latents[:, 0, 0, 0].tolist(), later)
        return SimpleNamespace(images=np.array(list(drawn)))


def own(pipe, row) -> tuple[float, float, float]:
    """What a picture is made of, from torch's one stream of its seed."""
    stream = torch.Generator().manual_seed(row["seed"])
    first = torch.randn((2, 4, 4), generator=stream)
    return ord(row["prompt"][-1]), first[0, 0, 0].item(), torch.randn(1, generator=stream).item()


@pytest.mark.parametrize(
    ("room", "batch", "tried"),
    [
        (16, 4, [4, 4, 3]),
        (4, 4, [4, 4, 3]),
        (2, 8, [8, 4, 2, 2, 2, 2, 2, 1]),
        (3, 7, [7, 3, 3, 3, 2]),
        (1, 16, [11, 5, 2, *[1] * 11]),
    ],
)
def test_when_memory_runs_out_the_batch_is_halved_for_good(room, batch, tried):
    pipe = Pipe(room)
    made = list(pipeline.pictures(pipe, ROWS, 5, 2.0, batch))
    assert made == [own(pipe, row) for row in ROWS]
    assert len({n for _, *noise in made for n in noise}) == 2 * len(ROWS)
    assert pipe.batches == tried


def test_memory_that_runs_out_later_costs_no_picture_and_repeats_none():
    pipe, made = Pipe(4), []
    for picture in pipeline.pictures(pipe, ROWS, 5, 2.0, 4):
        made.append(picture)
        pipe.room = 2 if len(made) == 2 else pipe.room
    assert made == [own(pipe, row) for row in ROWS]
    assert pipe.batches == [4, 4, 2, 2, 2, 1]


def test_one_picture_that_does_not_fit_is_an_error():
    pipe = Pipe(0)
    with pytest.raises(torch.OutOfMemoryError):
        list(pipeline.pictures(pipe, ROWS, 5, 2.0, 4))
    assert pipe.batches == [4, 2, 1]


@pytest.fixture(scope="module")
def demo():
    """The bundled model with a small UNet of random weights: what it draws is another picture for
    each seed all the same."""
    return small_pipe()


def drawn(pipe, rows, batch, steps=3) -> np.ndarray:
    some = list(pipeline.pictures(pipe, rows, steps, 3.0, batch))
    return np.stack([np.asarray(p, int) for p in some])


class Eta:
    """A pipeline whose DDIM adds all the noise it can."""

    def __init__(self, pipe):
        self.pipe = pipe

    def __getattr__(self, name):
        return getattr(self.pipe, name)

    def __call__(self, **kwargs):
        return self.pipe(eta=1.0, **kwargs)


#: Samplers that add noise at their steps, and the demo's own, which adds none.
SAMPLERS = {
    "ancestral": EulerAncestralDiscreteScheduler,
    "consistency": LCMScheduler,
    "stochastic": DDIMScheduler,
}


@pytest.fixture(params=["own", *SAMPLERS])
def sampler(request, demo):
    before = demo.scheduler
    if request.param in SAMPLERS:
        demo.scheduler = SAMPLERS[request.param].from_config(before.config)
    yield Eta(demo) if request.param == "stochastic" else demo
    demo.scheduler = before


def test_a_picture_depends_on_its_seed_alone(sampler):
    """Twice the same to the bit; to 2 of 255 in another batch and order, since matrix products
    round by their shape. Noise that is a batch's own differs by a hundred and more."""
    rows = ROWS[:4]
    four = drawn(sampler, rows, 4)
    assert (drawn(sampler, rows, 4) == four).all()
    for batch in (1, 3):
        assert np.abs(drawn(sampler, rows[::-1], batch)[::-1] - four).max() <= 2
    assert np.abs(np.diff(four, axis=0)).mean() > 5  # four seeds, four pictures


def test_what_a_sampler_adds_is_not_the_starting_noise_again(demo):
    seeds = [row["seed"] for row in ROWS[:4]]
    streams = pipeline.generators(seeds)
    together = pipeline.noise(demo, streams)
    assert together.dtype == torch.float32 and together.shape[0] == 4
    for seed, stream, noise in zip(seeds, streams, together):
        assert torch.equal(pipeline.noise(demo, pipeline.generators([seed]))[0], noise)
        assert not torch.equal(pipeline.noise(demo, [stream])[0], noise)


def test_memory_that_runs_out_midway_repeats_no_noise(demo, monkeypatch):
    """The steps before it ran out have drawn from the seeds: they are begun anew."""
    before = demo.scheduler
    demo.scheduler = EulerAncestralDiscreteScheduler.from_config(before.config)
    whole, decode = drawn(demo, ROWS[:2], 1), demo.vae.decode

    def full(latents, **kwargs):
        if len(latents) > 1:
            raise torch.OutOfMemoryError
        return decode(latents, **kwargs)

    monkeypatch.setattr(demo.vae, "decode", full)
    assert (drawn(demo, ROWS[:2], 2) == whole).all()
    demo.scheduler = before


def test_a_picture_that_is_not_finite_is_told_by_its_seed_and_not_drawn_black(demo):
    weight = demo.vae.decoder.conv_out.bias
    before = weight.detach().clone()
    with torch.no_grad():
        weight[0] = float("nan")
    with pytest.raises(ValueError, match="seed 4 is not finite: .* float32"):
        drawn(demo, ROWS[1:3], 2, steps=1)
    with torch.no_grad():
        weight.copy_(before)
