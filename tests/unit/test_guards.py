"""Guards: what a sampler steers away from, against what the library does and step by step."""

import numpy as np
import pandas as pd
import pytest
import torch
from regrowth.draw import GUARDS, autoguidance, guards, pipeline
from regrowth.draw.guards import Level, steered
from regrowth.learn import words
from regrowth.measure import guards as measured
from regrowth.study import variants
from small_unet import small_pipe, small_unet

ROWS = [{"prompt": f"an image of a {name}", "seed": i} for i, name in enumerate(("church", "cat"))]
HOW = (ROWS, 4, 2.0, 2)
SHORT = (ROWS, 2, 2.0, 2)


@pytest.fixture(scope="module")
def loaded():
    return small_pipe()


@pytest.fixture
def pipe(loaded):
    """With a UNet of its own, which is what guards hook."""
    loaded.unet = small_unet()
    return loaded


@pytest.fixture(scope="module")
def plain(loaded):
    """What is drawn without a guard, by how many steps."""
    loaded.unet = small_unet()
    return {steps: pipeline.latents(loaded, ROWS, steps, 2.0, 2) for steps in (4, 10)}


def test_a_negative_prompt_is_the_librarys_own(pipe):
    noise = pipeline.noise(pipe, pipeline.generators([0, 1]))
    own = pipe(
        prompt=[row["prompt"] for row in ROWS], negative_prompt=["church"] * 2, latents=noise,
        num_inference_steps=4, guidance_scale=2.0, output_type="latent",
    ).images  # fmt: skip
    GUARDS["negative"].put(pipe, "church")
    torch.testing.assert_close(torch.from_numpy(pipeline.latents(pipe, *HOW)), own)


def test_an_implicit_negative_at_the_names_own_embedding_is_the_words(pipe):
    GUARDS["negative"].put(pipe, "church")
    words_alone = pipeline.latents(pipe, *SHORT)
    other = small_pipe()
    vector = words.start(other, "church")
    GUARDS["implicit"].put(other, vector)
    np.testing.assert_array_equal(pipeline.latents(other, *SHORT), words_alone)
    third = small_pipe()
    GUARDS["implicit"].put(third, words.start(third, "cat"))
    assert (pipeline.latents(third, *SHORT) != words_alone).any()


@pytest.mark.parametrize("guard", [None, "negative"])
def test_autoguidance_at_nothing_and_at_one_is_exactly_the_two_models(pipe, guard):
    name = "conv_out.weight"
    changed = {name: 1.5 * small_unet().get_parameter(name).detach().numpy()}

    def drawn(put=(), weight=None):
        pipe.unet = small_unet()
        if weight is None:
            pipeline.put_weights(pipe, dict(put))
        else:
            autoguidance.steer(pipe, put, weight)
        if guard:
            GUARDS[guard].put(pipe, "church")
        return pipeline.latents(pipe, *SHORT)

    released, trained = drawn(), drawn(changed)
    np.testing.assert_array_equal(drawn(changed, 0.0), released)
    np.testing.assert_array_equal(drawn(changed, 1.0), trained)
    assert all((drawn(changed, 1.5) != other).any() for other in (released, trained))


def test_autoguidance_goes_on_beyond_the_trained_prediction(pipe):
    name = "conv_out.weight"
    batch = torch.randn(2, 4, 8, 8), torch.tensor(500), torch.zeros(2, 32, 128)
    plain = small_unet().get_parameter(name).detach().numpy()
    said = []
    for factor in (1.0, 1.5):
        pipe.unet = small_unet()
        pipeline.put_weights(pipe, {name: factor * plain})
        said.append(pipe.unet(*batch)[0].detach())
    pipe.unet = small_unet()
    autoguidance.steer(pipe, {name: 1.5 * plain}, 3.0)
    wanted = said[0] + 3.0 * (said[1] - said[0])
    torch.testing.assert_close(pipe.unet(*batch)[0].detach(), wanted, atol=1e-5, rtol=1e-5)


def test_at_a_scale_of_nothing_guidance_is_plain(pipe, plain):
    guards.Steered(pipe, "church", Level(0, 0, 1.0, 0.5, 0.7))
    np.testing.assert_array_equal(pipeline.latents(pipe, *HOW), plain[4])


@pytest.mark.parametrize("warmup", [1.0, 0.75, 0.5, 0.0])
def test_nothing_is_taken_before_the_warm_up_is_over(pipe, plain, monkeypatch, warmup):
    told, acts = [], []
    real = guards.steered
    monkeypatch.setattr(guards, "steered", lambda *of: told.append(of[1]) or real(*of))
    guards.Steered(pipe, "church", Level(warmup, 1000, 0.01, 0.3, 0.4))
    pipe.unet.register_forward_hook(
        lambda unet, given, out: acts.append((out[0].chunk(2)[1] != told[-1]).any().item())
    )
    one = pipeline.latents(pipe, *HOW)
    n = len(pipe.scheduler.timesteps)
    assert len(told) == n, "the momentum gathers from the first step on"
    assert acts == [step >= round(warmup * n) for step in range(n)]
    assert (one != plain[4]).any() == any(acts)
    np.testing.assert_array_equal(pipeline.latents(pipe, *HOW), one)  # a call leaves no momentum


def slow(bare, told, alone, momentum, level):
    """Number by number, as the paper prints it."""
    taken, after = [], []
    for b, t, a, m in zip(*(x.flatten().tolist() for x in (bare, told, alone, momentum))):
        weight = min(1.0, abs(t - a) * level.scale) if t - a < level.threshold else 0.0
        gamma = weight * (a - b) + level.momentum * m
        taken.append(gamma)
        after.append(level.beta * m + (1 - level.beta) * gamma)
    return torch.tensor(taken), torch.tensor(after)


@pytest.mark.parametrize("level", [guards.WEAK, guards.MEDIUM, guards.STRONG, guards.MOST])
def test_what_is_taken_is_what_the_paper_prints(level):
    draws = torch.Generator().manual_seed(0)
    told = [torch.randn(50, generator=draws) * 0.02 for _ in range(4)]
    for found, wanted in zip(steered(*told, level), slow(*told, level)):
        torch.testing.assert_close(found, wanted, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_changes_pictures_of_its_words_and_no_weight(pipe, plain, name):
    before = {n: p.clone() for n, p in pipe.unet.named_parameters()}
    learnt = "guard" in GUARDS[name].needs
    GUARDS[name].put(pipe, words.start(pipe, "church") if learnt else "church")
    assert (pipeline.latents(pipe, ROWS, 10, 2.0, 2) != plain[10]).any()
    assert all(torch.equal(p, before[n]) for n, p in pipe.unet.named_parameters())


def rate(defence, role, value, **more):
    own = {"concept": "church", "eraser": "esd-x", "variant": "pruned", "defence": defence}
    told = {"prompt_set": "objects", "role": role, "judge": "objects", "n": 9}
    return variants.PRETRAINED | own | told | {"rate": value, "low": 0, "high": 1} | more


def test_what_is_drawn_through_guards_stands_beside_what_is_not():
    trained = {"variant": "relearn", "data": "own", "parameters": "all", "lr": "0.00005"}
    trained |= {"step": "50"}
    rows = [
        rate("none", "erased", 0.3),
        rate("none", "preserved", 0.9),
        rate("sld-max", "preserved", 0.7),
        rate("sld-max", "erased", 0.1),
        rate("negative", "erased", 0.2),
        rate("none", "erased", 0.6, **trained),
        rate("negative", "erased", 0.5, **trained),
        rate("none", "erased", 0.8, variant="quant4"),
        rate("flip", "erased", 0.4, sigma="1.0"),
        rate("none", "erased", 0.99, variant="pretrained", eraser="none", concept="none"),
    ]
    table = measured.guards(pd.DataFrame(rows))
    assert list(table) == measured.COLUMNS
    told = table[["attack", "guard", "erased_rate", "preserved_rate"]].fillna(-1).values.tolist()
    assert told == [
        ["pruned", "none", 0.3, 0.9],
        ["pruned", "negative", 0.2, -1],
        ["pruned", "sld-max", 0.1, 0.7],
        ["relearnt ×50 on its own pictures", "none", 0.6, -1],
        ["relearnt ×50 on its own pictures", "negative", 0.5, -1],
    ]
    assert measured.guards(pd.DataFrame(rows[:2])).empty
