"""Attackers who train: what they change, when they stop, and that nothing else is touched."""

import numpy as np
import pytest
import torch
from regrowth.attack import TUNINGS
from regrowth.attack.relearning import learn_word, relearn
from regrowth.draw import guards, patches, pipeline
from regrowth.erase import closed_form
from regrowth.files import store
from regrowth.learn import lora, words
from regrowth.learn.losses import embedded, noised, predicted, sampled
from small_unet import noise_of, small_pipe, small_unet

PROMPTS = ["an image of a church", "a church in a park", "a church in a forest", "a Church"]
SETTINGS = {"rate": 1e-3, "batch": 3, "seed": 0}


@pytest.fixture
def pipe():
    return small_pipe()


@pytest.fixture(scope="module")
def lesson():
    return noise_of(PROMPTS)


def weights(unet):
    return {n: p.detach().numpy().copy() for n, p in unet.named_parameters()}


def applied(found, step):
    return patches.apply({}, found[step])


def test_at_a_rate_of_nothing_the_released_model_stays_bit_by_bit(pipe, lesson):
    before = weights(pipe.unet)
    found, destroyed = relearn(pipe, lesson, "all", [1, 2], SETTINGS | {"rate": 0.0})
    assert destroyed is None
    for step in (1, 2):
        after = applied(found, step)
        assert set(after) == set(before)
        assert all((after[n] == before[n]).all() for n in before)


def test_what_comes_after_few_steps_is_what_a_short_training_comes_to(pipe, lesson):
    seen = []
    long, _ = relearn(pipe, lesson, "all", [2, 4], SETTINGS, seen.append)
    pipe.unet = small_unet()
    short, _ = relearn(pipe, lesson, "all", [2], SETTINGS)
    assert seen == [2, 4]
    one, other = applied(long, 2), applied(short, 2)
    assert all((one[n] == other[n]).all() for n in one)
    assert any((applied(long, 4)[n] != one[n]).any() for n in one)
    assert set(long) == {2, 4}


def test_lora_adds_a_low_rank_to_attentions_and_leaves_no_trace_in_the_pipeline(pipe, lesson):
    before = weights(pipe.unet)
    found, _ = relearn(pipe, lesson, "lora4", [3], SETTINGS)
    after = applied(found, 3)
    expected = {n for n in before if lora.ADAPTED.search(n.removesuffix(".weight"))}
    assert set(after) == expected and len(after) == 4 * 2 * 4
    rank = TUNINGS["lora4"].rank
    for name, value in after.items():
        change = (value - before[name]).astype(np.float64)
        sizes = np.linalg.svd(change, compute_uv=False)
        assert change.any() and (sizes[rank:] < 1e-5 * sizes[0]).all()
    assert weights(pipe.unet).keys() == before.keys(), "plain weights again"
    assert all((weights(pipe.unet)[n] == after[n]).all() for n in after)


def test_a_training_that_is_destroyed_keeps_what_was_before(pipe, lesson):
    seen = []
    found, destroyed = relearn(
        pipe, lesson, "all", [1, 2, 5], SETTINGS | {"rate": 1e18}, seen.append
    )
    assert destroyed is not None and 1 < destroyed <= 5 and seen == [1, 2, 5]
    assert all(np.isfinite(value).all() for one in found.values() for value in one.values())
    good = max(step for step in (0, 1, 2) if step < destroyed)
    last = applied(found, 5)
    assert good and all((last[n] == applied(found, good)[n]).all() for n in last)


def error(pipe, lesson, prompts):
    """Of several draws of noise: a word means little to random weights, and one draw wobbles."""
    draws, told = torch.Generator().manual_seed(9), []
    with torch.no_grad():
        said = embedded(pipe, prompts)
        for _ in range(8):
            batch = noised(pipe, lesson.latents, draws)
            told.append(predicted(pipe, batch, said) - batch.wanted)
    return float(torch.stack(told).square().mean())


def test_a_word_is_learnt_and_no_weight_is_touched(pipe, lesson):
    before = weights(pipe.unet)
    table = pipe.text_encoder.get_input_embeddings().weight.detach().clone()
    found, destroyed = learn_word(pipe, lesson, "church", [1, 20], SETTINGS | {"rate": 0.05})
    assert destroyed is None and [set(patch) for patch in found.values()] == [{patches.WORD}] * 2
    assert all((weights(pipe.unet)[n] == before[n]).all() for n in before)
    now = pipe.text_encoder.get_input_embeddings().weight.detach()
    assert torch.equal(now[: len(table)], table), "no other word means anything else"
    errors = []
    for step in (1, 20):
        own = small_pipe()
        words.put(own, torch.from_numpy(found[step][patches.WORD]))
        errors.append(error(own, lesson, words.said(PROMPTS, "church")))
    assert errors[1] < errors[0]


def test_what_a_guard_makes_of_a_prediction_is_what_the_sampler_goes_by(pipe, lesson):
    """Against the guidance written out, with the guard's words in the place of none."""
    batch = noised(pipe, lesson.latents, torch.Generator().manual_seed(9))
    said = embedded(pipe, PROMPTS)
    with torch.no_grad():
        bare, church = (
            predicted(pipe, batch, embedded(pipe, [text] * 4)) for text in ("", "church")
        )
        told = predicted(pipe, batch, said)
        torch.testing.assert_close(sampled(pipe, batch, said, 2.5), bare + 2.5 * (told - bare))
        words.guard(pipe, "negative", "church")
        wanted = church + 2.5 * (told - church)
        torch.testing.assert_close(sampled(pipe, batch, said, 2.5), wanted)


@pytest.fixture
def guarded(pipe, tmp_path):
    """Steered away from a word whose embedding is the cat's."""
    learnt = {5: {patches.WORD: words.start(pipe, "cat").numpy()}}
    store.write_parts(tmp_path / "word", learnt)
    words.guard(pipe, "implicit", "church", str(tmp_path / "word"), "5")
    return pipe


def test_at_a_guidance_of_one_a_guard_takes_nothing_away(guarded, lesson):
    settings = SETTINGS | {"rate": 0.05, "guidance": 1.0}
    found, _ = learn_word(guarded, lesson, "church", [4], settings)
    plain = small_pipe()
    wanted, _ = learn_word(plain, lesson, "church", [4], settings | {"guidance": None})
    np.testing.assert_allclose(found[4][patches.WORD], wanted[4][patches.WORD], atol=1e-4)


def test_who_knows_a_guard_learns_a_word_that_is_drawn_through_it(guarded, lesson):
    found, _ = learn_word(
        guarded, lesson, "church", [1, 20], SETTINGS | {"rate": 0.05, "guidance": 4.0}
    )
    said, errors = words.said(PROMPTS, "church"), []
    table = guarded.text_encoder.get_input_embeddings().weight
    for step in (1, 20):
        with torch.no_grad():
            number = guarded.tokenizer.convert_tokens_to_ids(words.WORD)
            table[number] = torch.from_numpy(found[step][patches.WORD])
            draws = torch.Generator().manual_seed(9)
            batches = [noised(guarded, lesson.latents, draws) for _ in range(8)]
            told = [sampled(guarded, b, embedded(guarded, said), 4.0) - b.wanted for b in batches]
        errors.append(float(torch.stack(told).square().mean()))
    assert errors[1] < errors[0]


def test_a_word_is_what_its_embedding_says(pipe):
    """Given a known word's embedding, the prompt means what it meant with that word."""
    vector = words.start(pipe, "church")
    meant = embedded(pipe, ["a church in a park"])
    words.put(pipe, vector)
    said = embedded(pipe, words.said(["a church in a park"], "church"))
    if len(pipe.tokenizer("church", add_special_tokens=False).input_ids) == 1:
        torch.testing.assert_close(said, meant)
    else:
        pytest.fail("the bundled model's own words are one token each")


def test_the_word_stands_where_the_name_stood():
    assert words.said(["a Church, and churches", "golf ball"], "church") == [
        f"a {words.WORD}, and churches",
        "golf ball",
    ]
    assert words.said(["a golf ball."], "golf ball") == [f"a {words.WORD}."]


def test_a_patch_replaces_holes_or_whole_weights():
    released = {"a": np.zeros((2, 2), np.float16), "b": np.ones(3, np.float16)}
    positions = np.array([[True, False], [False, False]])
    patch = patches.values_patch("a", positions, np.array([5], np.float32))
    whole = patches.whole({"c": np.full(2, 7.0)})
    made = patches.apply(released, patch | whole | {patches.WORD: np.ones(4)})
    assert made["a"].tolist() == [[5, 0], [0, 0]] and made["c"].tolist() == [7, 7]
    assert made["b"] is released["b"] and set(made) == {"a", "b", "c"}


def test_the_unet_reads_another_vector_at_a_names_last_token_alone(pipe):
    prompts = ["an image of a golf ball", "a golf ball in a park", "an image of a racket"]
    before = embedded(pipe, prompts)
    words.answer(pipe, "golf ball", torch.full((128,), 7.0))
    after = embedded(pipe, prompts)
    ids = pipe.tokenizer(prompts, padding="max_length").input_ids
    ball = pipe.tokenizer("golf ball").input_ids[-2]
    for row, (one, other) in enumerate(zip(before, after)):
        for at, token in enumerate(ids[row]):
            if token == ball:
                assert (other[at] == 7).all()
            else:
                torch.testing.assert_close(one[at], other[at])


def test_a_derived_word_says_what_the_name_said(pipe):
    """UCE moves the church's word away; RECE's closed form finds what still leads there."""
    names = [n for n, _ in pipe.unet.named_parameters() if closed_form.READERS.search(n)]
    base = weights(pipe.unet)
    edited = closed_form.uce(
        pipe,
        {name: base[name] for name in names},
        {"name": "church", "others": ["candle", "racket"]},
        {"guide": "", "ridge": 0.5, "erase": 1.0, "preserve": 1.0},
    )
    (said,) = closed_form.words(pipe, ["church"])
    found = closed_form.derived({n: base[n] for n in names}, edited, said, 1e-6)
    off = {
        text: sum(np.linalg.norm(edited[n] @ vector - base[n] @ said) for n in names)
        for text, vector in (("name", said), ("derived", found))
    }
    assert off["derived"] < 0.7 * off["name"]


def test_a_guard_that_is_put_first_steers_from_what_the_name_meant(pipe):
    """The script's order: what an attack makes of the name does not reach the guard's words."""
    rows = [{"prompt": "an image of a cat", "seed": 0}]
    patch = {patches.SAID: np.full(128, 7.0, np.float32)}
    guards.negative(pipe, "church")
    before = pipeline.latents(pipe, rows, 4, 2.0, 1)
    assert words.asked(pipe, rows, patch, "church") == rows
    np.testing.assert_array_equal(pipeline.latents(pipe, rows, 4, 2.0, 1), before)
    church = [{"prompt": "an image of a church", "seed": 0}]
    changed = pipeline.latents(pipe, church, 4, 2.0, 1)
    assert words.asked(pipe, church, {}, "church") is church
    assert (changed != before).any()


def test_a_learnt_word_is_asked_for_by_its_own_prompt_and_seed(pipe):
    rows = [{"prompt": "a church in a park", "seed": 3}, {"prompt": "a cat", "seed": 4}]
    told = words.asked(pipe, rows, {patches.WORD: np.zeros(128, np.float32)}, "church")
    assert told == [{"prompt": f"a {words.WORD} in a park", "seed": 3}, rows[1]]
    assert pipe.tokenizer(words.WORD, add_special_tokens=False).input_ids == [
        pipe.tokenizer.convert_tokens_to_ids(words.WORD)
    ]
