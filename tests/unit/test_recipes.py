"""Recipes for the training loop: what each touches, what it says instead, and how it stops."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from regrowth.draw import pipeline
from regrowth.erase import ERASERS
from regrowth.learn import anchors, loop, losses, targets
from regrowth.learn.loop import train
from regrowth.learn.passed import Passed
from regrowth.learn.pictures import FIRST_SEED, material, shown, trajectory, write
from regrowth.learn.pictures import read as read_pictures
from regrowth.learn.recipes import PARAMETERS, RECIPES, resolved
from regrowth.learn.state import Kept
from small_unet import small_pipe

PAIRS = [("an image of a candle", "an image of a church"), ("a racket", "a church in a park")]


@pytest.fixture(scope="module")
def taught():
    return small()


@cache
def small():
    """A pipeline with a small UNet, what it is taught with, by where its states are from."""
    own = small_pipe()
    made = {
        way: material(own, RECIPES[name], lambda of: shown(own, of, PAIRS, 6, 4, 2.0, 3))
        for way, name in (("pictures", "score-alignment"), ("trajectory", "esd-x"))
    }
    own.encode_prompt = once(own.encode_prompt)
    return own, made


def once(encode):
    """A text encoder, which no recipe trains, that reads the same prompts once."""
    read = cache(lambda prompts, *how: encode(list(prompts), *how))

    def encoded(prompts, *how, **more):
        return encode(prompts, *how, **more) if more else read(tuple(prompts), *how)

    return encoded


#: Beside a recipe's own settings, what makes it short.
SHORT = {
    "esd-x": {"push": 30.0},  # random weights hardly heed their words
    "esd-u": {"push": 30.0},
    "vdu": {"trainings": 2, "length": 2, "times": 2, "anchor": 1e-9},
    "selective-amnesia": {"times": 2, "anchor": 1.0},
    "ovw": {"retain": 1.0},
    "saddle": {"forget": 1.0},
    "sculpting-memory": {"warmup": 1, "refresh": 1},
    "resalign": {"tuning": 1, "rounds": 2, "hypergradient": True},
}


def settings_of(name, **more):
    told = {"steps": 3, "batch": 3, "pictures": 6, "rate": 1e-3} | SHORT.get(name, {})
    told |= ({"bound": 3.0} if RECIPES[name].away else {}) | more
    return resolved(RECIPES[name], ERASERS[name].settings.held(**told).of("object"))


def teach(taught, name, kept=None, after=lambda step: None, **more):
    own, made = taught
    recipe = RECIPES[name]
    own.unet.load_state_dict(made["pictures"].frozen.state_dict())
    held = made[recipe.states]
    held = held if recipe.asks_frozen else replace(held, frozen=None)
    return train(own, recipe, held, settings_of(name, **more), kept, after)


def same(one, other):
    return set(one) == set(other) and all((one[n] == other[n]).all() for n in one)


def losses_of(taught, name, weights):
    """What a recipe lowers, at some weights, on one batch."""
    own, made = taught
    own.unet.load_state_dict(made["pictures"].frozen.state_dict())
    pipeline.put_weights(own, weights)
    told, recipe = settings_of(name), RECIPES[name]
    draws = torch.Generator().manual_seed(5)
    step = targets.made(own, recipe, made[recipe.states], 2, torch.arange(6), draws, told)
    with torch.no_grad():
        forget, retain = float(step.forget()), float(step.retain())
    return told["forget"] * forget + told["retain"] * retain


#: The share of the trained weights that a recipe changes in three steps.
MOVED = {"salun-tuned": (0.48, 0.52), "sculpting-memory": (0.45, 0.62)}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_keeps_its_word(taught, name):
    """It repeats itself, as the beginning of a longer one, changes only what it says, lowers what
    it says, and can be loaded."""
    frozen = dict(taught[1]["pictures"].frozen.named_parameters())
    one, way = teach(taught, name, seed=1), {}
    pattern = PARAMETERS[RECIPES[name].parameters]
    assert set(one) == {n for n in frozen if pattern.search(n)}
    assert {value.dtype for value in one.values()} == {np.dtype("float32")}
    now = dict(taught[0].unet.named_parameters())
    assert all(torch.equal(now[n], p) for n, p in frozen.items() if n not in one)
    moved = sum((value != frozen[n].detach().numpy()).sum() for n, value in one.items())
    low, high = MOVED.get(name, (0.9, 1))
    assert low <= moved / sum(value.size for value in one.values()) <= high

    def keep(step):
        held = taught[0].unet.named_parameters()
        way[step] = {n: p.detach().numpy().copy() for n, p in held if n in one}

    long = teach(taught, name, after=keep, steps=8, seed=1)
    assert same(one, way[3]) and same(long, way[8])
    assert not same(teach(taught, name, steps=2), way[2])
    begun = way[2] if RECIPES[name].reset else {}
    assert losses_of(taught, name, long) < losses_of(taught, name, begun)


@pytest.mark.parametrize("name", ["dimum", "esd-x"])
def test_what_is_drawn_beforehand_teaches_the_same(taught, name, tmp_path):
    """Through its files, to the bit; and it is these that are learnt from."""
    own, made = taught
    settings, about = settings_of(name), {"pairs": PAIRS, "steps": 4, "guidance": 2.0}

    def taught_by(drawn):
        own.unet.load_state_dict(made["pictures"].frozen.state_dict())
        return ERASERS[name].edit(own, {}, about, {"kind": name} | settings, None, drawn)

    held = made[RECIPES[name].states]
    sides = dict(zip(RECIPES[name].shown, (held.forget, held.retain)))
    read = {}
    for side, drawn in sides.items():
        write(tmp_path / side, drawn, of=side)
        read[side] = read_pictures(tmp_path / side, "cpu")
    alone = taught_by(None)
    assert same(taught_by(read), alone)
    others = {of: replace(seen, latents=seen.latents.flip(2)) for of, seen in read.items()}
    assert not same(taught_by(others), alone)


def test_a_mask_holds_what_it_does_not_hold_through_momentum(taught):
    """A tenth may change: nine tenths are the frozen model's, bit by bit, whatever Adam keeps."""
    frozen = dict(taught[1]["pictures"].frozen.named_parameters())
    made = teach(taught, "salun-tuned", share=0.1, steps=6)
    still = sum((v == frozen[n].detach().numpy()).sum() for n, v in made.items())
    assert still / sum(v.size for v in made.values()) == pytest.approx(0.9, abs=0.005)


def a_step(taught, name, **settings):
    own, made = taught
    own.unet.load_state_dict(made["pictures"].frozen.state_dict())
    recipe = RECIPES[name]
    told = settings_of(name, **settings)
    draws = torch.Generator().manual_seed(5)
    step = targets.made(own, recipe, made[recipe.states], 0, torch.arange(3), draws, told)
    with torch.no_grad():
        return step, targets.TARGETS[recipe.target](step)


def test_what_is_said_instead(taught):
    own, made = taught
    step, wanted = a_step(taught, "esd-x", push=0.5)
    with torch.no_grad():
        said = [
            own.unet(step.batch.latents, step.batch.steps, words).sample
            for words in (step.empty, step.words, step.beside)
        ]
    torch.testing.assert_close(wanted, said[0] - 0.5 * (said[1] - said[0]))
    assert torch.equal(step.batch.latents, made["trajectory"].forget.latents[:3])
    step, wanted = a_step(taught, "score-alignment")
    with torch.no_grad():
        said = own.unet(step.batch.latents, step.batch.steps, step.beside).sample
    torch.testing.assert_close(wanted, said)
    torch.testing.assert_close(
        a_step(taught, "erasediff")[1], wanted
    )  # the model is the frozen one
    step, wanted = a_step(taught, "dimum")
    kept = DDPMScheduler.from_config(own.scheduler.config).alphas_cumprod[step.batch.steps]
    kept = kept.reshape(-1, 1, 1, 1)
    pictures_ = (step.batch.latents - (1 - kept).sqrt() * wanted) / kept.sqrt()
    torch.testing.assert_close(pictures_, made["pictures"].retain.latents[:3], atol=1e-3, rtol=1e-3)
    words = losses.embedded(own, made["pictures"].forget.prompts[:3])
    torch.testing.assert_close(step.words, words.detach())


def test_esd_at_no_push_is_the_prediction_without_words(taught):
    own, _ = taught
    step, wanted = a_step(taught, "esd-u", push=1e-9)
    with torch.no_grad():
        said = own.unet(step.batch.latents, step.batch.steps, step.empty).sample
    torch.testing.assert_close(wanted, said, atol=1e-5, rtol=1e-5)


def test_states_are_those_that_sampling_comes_to(taught):
    own, made = taught
    forget = made["trajectory"].forget
    own.unet.load_state_dict(made["pictures"].frozen.state_dict())
    row = {"prompt": forget.prompts[1], "seed": FIRST_SEED + 1}
    held = {}

    def watch(pipe, step, timestep, tensors):
        times = pipe.scheduler.timesteps
        if step + 1 < len(times):
            held.setdefault(int(times[step + 1]), []).append(tensors["latents"][0])
        return tensors

    generators = pipeline.generators([row["seed"]])
    own(
        prompt=[row["prompt"]],
        latents=pipeline.noise(own, generators),
        num_inference_steps=4,
        guidance_scale=3.0,
        output_type="latent",
        callback_on_step_end=watch,
    )
    near = [float((s - forget.latents[1]).abs().max()) for s in held[int(forget.steps[1])]]
    assert min(near) < 1e-4
    with pytest.raises(ValueError, match="two denoising steps"):
        trajectory(own, [row], 1, 1)


def test_esd_of_what_no_words_say_has_nothing_to_learn(taught):
    own, made = taught
    empty = replace(made["trajectory"].forget, prompts=[""] * 6)
    material_ = replace(made["trajectory"], forget=empty)
    for push in (0.5, 3.0):
        step, _ = a_step((own, made | {"trajectory": material_}), "esd-x", push=push)
        assert step.forget().item() < 1e-10


def test_what_is_raised_is_raised_to_its_bound_and_no_further(taught):
    step, wanted = a_step(taught, "saddle", bound=None)
    with torch.no_grad():
        said = losses.predicted(step.pipe, step.batch, step.words)
        errors = [float(((a - b) ** 2).mean()) for a, b in zip(said, wanted)]
        assert step.forget().item() == pytest.approx(-np.mean(errors), rel=1e-4)
        bound = float(np.median(errors))
        loss = a_step(taught, "saddle", bound=bound)[0].forget().item()
    assert loss == pytest.approx(np.mean([max(bound - e, 0) for e in errors]), rel=1e-4)
    assert loss > 0


def test_what_is_held_is_the_noise_or_what_the_frozen_model_says(taught):
    step, _ = a_step(taught, "ovw")
    with torch.no_grad():
        assert step.retain().item() < 1e-12, "the model is the frozen one"
        said = losses.predicted(step.pipe, step.kept, step.beside)
        replayed = a_step(taught, "dimum")[0].retain().item()
    assert replayed == pytest.approx(float((said - step.kept.wanted).square().mean()), rel=1e-5)


def test_dimum_is_selective_amnesia_without_its_anchor(taught):
    amnesia = teach(taught, "selective-amnesia", anchor=0.0)
    assert same(teach(taught, "dimum", retain=RECIPES["selective-amnesia"].retain), amnesia)


def test_fishers_information_is_the_mean_of_squared_gradients(taught):
    own, made = taught
    own.unet.load_state_dict(made["pictures"].frozen.state_dict())
    name = "conv_in.weight"
    held = {name: own.unet.conv_in.weight}
    pictures = made["pictures"].retain
    felt = anchors.information(own, held, pictures, 2, 4)[name]
    draws, squares = torch.Generator().manual_seed(4), []
    for latent, prompt in zip(pictures.latents, pictures.prompts):
        batch = losses.noised(own, torch.stack([latent, latent]), draws)
        words = losses.embedded(own, [prompt, prompt]).detach()
        own.unet.conv_in.weight.requires_grad_(True)
        said = own.unet(batch.latents, batch.steps, words).sample
        loss = (said - batch.wanted).square().mean()
        squares.append(torch.autograd.grad(loss, held[name])[0] ** 2)
    own.unet.requires_grad_(False)
    torch.testing.assert_close(felt, torch.stack(squares).mean(0), rtol=1e-3, atol=1e-9)


def test_an_anchor_holds_weights_near_where_they_were(taught):
    frozen = dict(taught[1]["pictures"].frozen.named_parameters())

    def moved(**told):
        made = teach(taught, "vdu", spread="fisher", steps=6, **told)
        return sum(float(((v - frozen[n].detach().numpy()) ** 2).sum()) for n, v in made.items())

    assert moved(anchor=1e9) < 0.5 * moved(anchor=0.0)


@pytest.mark.parametrize("name", ["erasediff", "vdu"])
def test_a_training_that_blows_up_leaves_what_was_good(taught, name):
    """The weights are those of a training that ends before the step that the error names."""
    more = {"rate": 1e18, "steps": 9} | ({"spread": "fisher"} if name == "vdu" else {})
    with pytest.raises(loop.Blown, match="the gradient of step [2-9] is not a number") as raised:
        teach(taught, name, **more)
    blown = raised.value
    assert all(np.isfinite(v).all() for v in blown.weights.values())
    assert same(blown.weights, teach(taught, name, **more | {"steps": blown.step - 1}))


class Killed(Exception):
    pass


@pytest.mark.parametrize("name", ["dimum", "sculpting-memory", "vdu", "scissorhands-tuned"])
def test_a_training_goes_on_from_its_state_as_if_never_stopped(taught, name, tmp_path, monkeypatch):
    counted = Passed(taught[0].unet)
    whole = teach(taught, name, steps=4)
    once = counted.told()
    assert 0 < once["backwards"] <= once["forwards"]
    passed = Passed(taught[0].unet)
    kept, real, made = Kept(tmp_path / "state.pt", "one", 2, passed), loop.made, []

    def step(*told):
        made.append(told[3])
        if len(made) == 4:
            raise Killed
        return real(*told)

    monkeypatch.setattr(loop, "made", step)
    with pytest.raises(Killed):
        teach(taught, name, kept, steps=4)
    assert same(teach(taught, name, kept, steps=4), whole)
    assert made == [0, 1, 2, 3, 2, 3], "it was killed in step 3, and had the state after 2"
    assert passed.told() == once, "what was done twice is counted once"
    other = Kept(kept.file, "another", every=2)
    assert other.read() is None and kept.read()["step"] == 4
    kept.file.write_bytes(kept.file.read_bytes()[:1000])
    assert kept.read() is None
    kept.drop()
    assert list(tmp_path.iterdir()) == []


def test_what_is_changed_is_put_back_by_its_name(taught):
    """Weights and biases, of convolutions and norms too: every one that a recipe may train."""
    own, made = taught
    frozen = made["pictures"].frozen
    changed = {n: (p + 1).detach().numpy() for n, p in frozen.named_parameters()}
    assert {name.rpartition(".")[2] for name in changed} == {"weight", "bias"}
    pipeline.put_weights(own, changed)
    for name, value in own.unet.named_parameters():
        np.testing.assert_array_equal(value.detach().numpy(), changed[name])
    own.unet.load_state_dict(frozen.state_dict())
