"""Learning on a model's own pictures: rows, the denoising loss, its gradients, masks by them."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from regrowth.draw.pipeline import latents as drawn
from regrowth.draw.pipeline import load_pipeline, pictures, submodule
from regrowth.erase import saliency
from regrowth.learn import losses
from regrowth.learn.gradients import BATCH, gradients
from regrowth.learn.pictures import FIRST_SEED, asked
from road import ROOT

MODEL = ROOT / "resources/demo/model"
LAYERS = [
    "mid_block.attentions.0.transformer_blocks.0.ff.net.2.weight",
    "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.2.weight",
]


@pytest.fixture(scope="module")
def pipe():
    return load_pipeline(MODEL, "float32", "cpu")


@pytest.fixture(scope="module")
def given():
    made = np.random.default_rng(0).normal(size=(BATCH + 3, 4, 16, 16)).astype(np.float32)
    return made, [f"an image of a {name}" for name in ["church", "candle"] * 6][: BATCH + 3]


def test_prompts_take_turns_and_no_seed_is_one_that_is_judged():
    made = asked(["a", "b"], 5, FIRST_SEED)
    assert [row["prompt"] for row in made] == ["a", "b", "a", "b", "a"]
    assert [row["seed"] for row in made] == [FIRST_SEED + i for i in range(5)]


def test_latents_are_the_pictures_before_they_are_decoded(pipe):
    some = asked(["an image of a church"], 2, FIRST_SEED)
    made = drawn(pipe, some, 3, 2.0, 1)
    assert made.shape == (2, 4, 16, 16) and made.dtype == np.float32
    with torch.no_grad():
        decoded = pipe.vae.decode(torch.from_numpy(made) / pipe.vae.config.scaling_factor).sample
    wanted = list(pictures(pipe, some, 3, 2.0, 2))
    for image, told in zip(decoded, wanted):
        near = ((image / 2 + 0.5).clamp(0, 1) * 255).permute(1, 2, 0).numpy()
        assert np.abs(near - np.asarray(told).astype(float)).max() < 1.5


def test_noise_and_steps_are_the_seeds_own(pipe, given):
    some = torch.from_numpy(given[0])
    one, two = (losses.noised(pipe, some, torch.Generator().manual_seed(s)) for s in (1, 1))
    torch.testing.assert_close(one.latents, two.latents, rtol=0, atol=0)
    other = losses.noised(pipe, some, torch.Generator().manual_seed(2))
    assert not torch.equal(one.steps, other.steps)
    # the noise that is wanted is the noise that was added
    schedule = DDPMScheduler.from_config(pipe.scheduler.config)
    kept = schedule.alphas_cumprod[one.steps].reshape(-1, 1, 1, 1)
    torch.testing.assert_close(kept.sqrt() * some + (1 - kept).sqrt() * one.wanted, one.latents)


def test_a_model_of_velocities_is_held_to_them(pipe, given, monkeypatch):
    some = torch.from_numpy(given[0])
    plain = losses.noised(pipe, some, torch.Generator().manual_seed(1))
    turned = {**pipe.scheduler.config, "prediction_type": "v_prediction"}
    scheduler = DDPMScheduler.from_config(turned)
    monkeypatch.setattr(pipe, "scheduler", scheduler)
    told = losses.noised(pipe, some, torch.Generator().manual_seed(1))
    kept = scheduler.alphas_cumprod[told.steps].reshape(-1, 1, 1, 1)
    torch.testing.assert_close(told.latents, plain.latents)
    velocity = kept.sqrt() * plain.wanted - (1 - kept).sqrt() * some
    torch.testing.assert_close(told.wanted, velocity)
    monkeypatch.setattr(pipe, "scheduler", DDPMScheduler(prediction_type="sample"))
    with pytest.raises(ValueError, match="predicts 'sample'"):
        losses.noised(pipe, some, torch.Generator())


def loss_of(pipe, given, kind, at, seed=0):
    """The loss of one batch, as a function of the weights, by the plainest way."""
    draws = torch.Generator().manual_seed(seed)
    for first in range(0, at + BATCH, BATCH):
        some = torch.from_numpy(given[0][first : first + BATCH])
        batch = losses.noised(pipe, some, draws)
    prompts = given[1][at : at + BATCH]
    with torch.no_grad():
        words = pipe.encode_prompt(prompts, "cpu", 1, False)[0]
        empty = pipe.encode_prompt([""] * len(prompts), "cpu", 1, False)[0]
        said = pipe.unet(batch.latents, batch.steps, words).sample
        if kind == "guided":
            said = 8.5 * said - 7.5 * pipe.unet(batch.latents, batch.steps, empty).sample
        return float((said - batch.wanted).double().square().mean())


@pytest.mark.parametrize("kind", ["noise", "guided"])
def test_gradients_are_those_of_small_steps(pipe, given, kind):
    made = gradients(pipe, *given, LAYERS, kind)
    assert set(made) == {f"{n}:{k}" for n in LAYERS for k in ("sum", "absolute")}
    for name in LAYERS:
        weight = submodule(pipe, name.removesuffix(".weight")).weight
        assert made[f"{name}:sum"].shape == weight.shape and not weight.requires_grad
        # along the gradient itself, where a step shows most above single precision
        way = torch.from_numpy(made[f"{name}:sum"])
        way = way / way.norm()
        slopes = []
        for sign in (1, -1):
            with torch.no_grad():
                weight += sign * 5e-2 * way
            slopes.append(sum(loss_of(pipe, given, kind, at) for at in (0, BATCH)))
            with torch.no_grad():
                weight -= sign * 5e-2 * way
        slope = (slopes[0] - slopes[1]) / 1e-1
        assert slope == pytest.approx(float(np.linalg.norm(made[f"{name}:sum"])), rel=0.03)


def test_magnitudes_are_summed_by_batch(pipe, given):
    latents, prompts = given
    whole = gradients(pipe, latents, prompts, LAYERS[:1], "noise")
    first = gradients(pipe, latents[:BATCH], prompts[:BATCH], LAYERS[:1], "noise")
    name = LAYERS[0]
    rest = whole[f"{name}:sum"] - first[f"{name}:sum"]
    np.testing.assert_array_equal(np.abs(first[f"{name}:sum"]), first[f"{name}:absolute"])
    scale = np.abs(whole[f"{name}:sum"]).max()
    absolute = first[f"{name}:absolute"] + np.abs(rest)
    np.testing.assert_allclose(whole[f"{name}:absolute"], absolute, atol=1e-5 * scale)


def test_the_text_encoders_layers_have_gradients_too(pipe, given):
    name = "text_encoder.encoder.layers.1.mlp.fc2.weight"
    made = gradients(pipe, given[0][:2], given[1][:2], [name], "noise")
    assert np.abs(made[f"{name}:sum"]).max() > 0


READ = {
    "a:sum": np.array([[1.0, -8.0], [3.0, 0.0]]),
    "a:absolute": np.array([[4.0, 8.0], [3.0, 0.0]]),
    "b:sum": np.array([[-2.0, 5.0, 0.5, 6.0]]),
    "b:absolute": np.array([[2.0, 9.0, 0.5, 6.0]]),
}
WEIGHTS = {"a": np.array([[2.0, 0.5], [-1.0, 7.0]]), "b": np.array([[1.0, 1.0, -9.0, 0.1]])}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        # |sum|: 1 8 3 0 and 2 5 .5 6
        ({"weighed": "no", "over": "model"}, {"a": [[0, 1], [0, 0]], "b": [[0, 0, 0, 1]]}),
        ({"weighed": "no", "over": "layer"}, {"a": [[0, 1], [0, 0]], "b": [[0, 0, 0, 1]]}),
        # |sum * weight|: 2 4 3 0 and 2 5 4.5 .6
        ({"weighed": "signed", "over": "model"}, {"a": [[0, 0], [0, 0]], "b": [[0, 1, 1, 0]]}),
        ({"weighed": "signed", "over": "layer"}, {"a": [[0, 1], [0, 0]], "b": [[0, 1, 0, 0]]}),
        # absolute * |weight|: 8 4 3 0 and 2 9 4.5 .6
        ({"weighed": "absolute", "over": "model"}, {"a": [[1, 0], [0, 0]], "b": [[0, 1, 0, 0]]}),
    ],
)
def test_a_mask_is_the_share_of_the_largest_scores(settings, wanted):
    settings = settings | {"share": 0.25}
    settings["bar"] = saliency.bar(WEIGHTS, READ, settings)
    for layer, weights in WEIGHTS.items():
        read = {name: READ[f"{layer}:{name}"] for name in ("sum", "absolute")}
        found = saliency.mask(weights, read, settings)
        np.testing.assert_array_equal(found, np.array(wanted[layer], bool))


def test_a_weight_that_the_loss_does_not_hang_on_is_never_erased():
    read = {"sum": np.zeros((2, 2)), "absolute": np.zeros((2, 2))}
    settings = {"weighed": "signed", "over": "layer", "share": 0.5, "bar": None}
    assert not saliency.mask(np.ones((2, 2)), read, settings).any()


def test_the_defaults_are_the_two_papers():
    salun, scissorhands = saliency.SalUn().of("object"), saliency.Scissorhands().of("style")
    assert (salun["weighed"], salun["loss"]) == ("no", "guided")
    assert (scissorhands["weighed"], scissorhands["loss"]) == ("absolute", "noise")
