"""Latent attacks: against the library's own samplers, closed forms, and judges' own scores."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from regrowth.attack import latent
from regrowth.draw import GUARDS, pipeline
from regrowth.draw.pipeline import load_pipeline
from regrowth.judge import judges, steering
from regrowth.judge.settings import Judge
from road import ROOT
from small_unet import MODEL, copied

ROWS = [
    {"prompt": "an image of a church", "class": "church", "seed": 5},
    {"prompt": "an image of a cat", "class": "cat", "seed": 1},
    {"prompt": "a church in a park", "class": "church", "seed": 2},
]
CHURCH = [ROWS[0], ROWS[2]]
HOW = (4, 2.0, 2)
JUDGES = {
    "clip": Judge(kind="clip", model="resources/demo/judges/clip"),
    "objects": Judge(kind="classifier", model="resources/demo/judges/objects"),
}


@pytest.fixture(scope="module")
def loaded():
    return load_pipeline(MODEL, "float32", "cpu")


@pytest.fixture
def pipe(loaded):
    return copied(loaded)


def test_noise_as_loud_as_it_is_told_is_ddim_with_all_of_its_noise(pipe):
    """Against the library's own, η = 1."""
    attacked = latent.noised(pipe, {"noise": "1.0"})
    found = torch.from_numpy(pipeline.latents(attacked, CHURCH, *HOW))
    louder = pipeline.latents(latent.noised(pipe, {"noise": "1.5"}), CHURCH, *HOW)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    own = pipeline.generators([row["seed"] for row in CHURCH])
    wanted = pipe(
        prompt=[row["prompt"] for row in CHURCH], latents=pipeline.noise(pipe, own), generator=own,
        num_inference_steps=4, guidance_scale=2.0, eta=1.0, output_type="latent",
    ).images  # fmt: skip
    torch.testing.assert_close(found, wanted)
    assert np.abs(louder).mean() > 1.1 * found.abs().mean()


def test_what_is_left_of_a_picture_is_what_is_not_completed(pipe):
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randn(3, 4, 16, 16, generator=draws).numpy()
    far = []
    for strength in ("0.25", "0.5", "1.0"):
        attacked = latent.completed(pipe, {"strength": strength}, pictures)
        made = pipeline.latents(attacked, CHURCH, *HOW)
        begun = pictures[[row["seed"] % 3 for row in CHURCH]]  # whichever the seed says
        far.append([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(made, begun)])
    assert far[0][0] > far[1][0] > far[2][0] and far[0][1] > far[1][1] > far[2][1]
    alone = pipeline.latents(attacked, CHURCH[1:], *HOW)
    np.testing.assert_allclose(alone[0], made[1], atol=1e-4)


@pytest.mark.parametrize("name", JUDGES)
def test_a_classifier_finds_as_likely_what_it_scores(name):
    """Against the judge's own answer, on pictures of the size that it looks at."""
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(np.full((128, 128, 3), rng.integers(0, 255, 3), np.uint8)) for _ in range(4)
    ]
    shown = torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2) / 255
    likely = steering.likely(JUDGES[name], ROOT, "church", "cpu")
    shown.requires_grad_(True)
    found = likely(shown)
    (slope,) = torch.autograd.grad(found.sum(), shown)
    assert slope.shape == shown.shape and slope.any()
    rows = [{"prompt": "church", "class": "church"}] * 4
    told = judges.score(JUDGES[name], ROOT, pictures, rows, "cpu")
    if name == "clip":  # its logit is the similarity, scaled
        wanted = torch.tensor([row["score"] for row in told])
        ratio = found.detach() / wanted
        torch.testing.assert_close(ratio, ratio[:1].expand(4), rtol=1e-3, atol=0)
    else:
        for value, row in zip(found.detach().exp().tolist(), told):
            same = row["label"] == "church"
            assert value == pytest.approx(row["score"], rel=1e-3) if same else value < row["score"]


def test_guidance_goes_towards_what_is_likely_by_the_closed_form(pipe):
    """With a likelihood that is linear in the picture and a decoder that is the identity, the slope
    is known: its weight over the signal."""
    weight = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(1))

    class Same:
        class config:
            scaling_factor = 1.0

        def decode(self, latents):
            return type("Out", (), {"sample": 2 * (latents - 0.5)})

    given = torch.randn(4, 4, 16, 16), torch.tensor(401), torch.zeros(4, 32, 128)
    plain = pipe.unet(*given)[0].detach()
    pipe.vae, pipe._guidance_scale = Same(), 2.0
    latent.guided(pipe, {"scale": "3.0"}, lambda shown: (shown * weight).sum(dim=(1, 2, 3)))
    moved = pipe.unet(*given, return_dict=False)[0].detach() - plain
    kept = pipe.scheduler.alphas_cumprod[401]
    wanted = -3.0 * (1 - kept).sqrt() * weight / kept.sqrt()
    torch.testing.assert_close(moved, wanted.expand(4, -1, -1, -1), atol=1e-4, rtol=1e-3)


def test_only_the_concept_is_attacked_and_rows_keep_their_order(pipe):
    plain = list(pipeline.pictures(pipe, ROWS, *HOW))
    pictures = np.zeros((1, 4, 16, 16), np.float32)
    cells = latent.drawn(
        pipe, ROWS, [True, False, True],
        lambda pipe: latent.completed(pipe, {"strength": "0.25"}, pictures),
        lambda picture: {"seen": np.asarray(picture, int)}, *HOW,
    )  # fmt: skip
    off = [np.abs(cell["seen"] - np.asarray(p, int)).max() for cell, p in zip(cells, plain)]
    assert off[1] <= 1 and min(off[0], off[2]) > 20, "pixels agree whatever the batch"


def test_a_guard_guards_a_sampler_that_begins_elsewhere(pipe):
    """SLD's momentum is of one batch alone, wherever sampling begins."""
    GUARDS["sld-max"].put(pipe, "church")
    pictures = np.zeros((1, 4, 16, 16), np.float32)
    attacked = latent.completed(pipe, {"strength": "0.75"}, pictures)
    both = pipeline.latents(attacked, ROWS, 4, 2.0, 2)  # two batches, of two and of one
    alone = pipeline.latents(attacked, ROWS[2:], 4, 2.0, 1)
    np.testing.assert_allclose(both[2], alone[0], atol=1e-4)
