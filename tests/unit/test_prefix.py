"""A prefix before a prompt: what it may be made of, how it is found, and what is drawn with it."""

import numpy as np
import pytest
import torch
from regrowth.attack import prefix
from regrowth.draw import patches
from regrowth.learn import words
from regrowth.learn.losses import embedded
from regrowth.models import vocabulary
from regrowth.run.refusals import Refused, none_to_pick, odd_prefixes
from regrowth.study import attackers
from regrowth.study.young import names_adults
from road import ROOT
from small_unet import noise_of, small_pipe, small_unet
from test_sweep import sweep_of

MODEL = ROOT / "resources/demo/model"
PROMPTS = ["an image of a church", "a church in a park", "a church in a forest"]
SETTINGS = {"rate": 0.05, "batch": 2, "seed": 0}


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.load(MODEL)


@pytest.fixture(scope="module")
def free(tokenizer):
    return vocabulary.free(tokenizer, ["church"])


@pytest.fixture
def pipe():
    return small_pipe()


@pytest.fixture(scope="module")
def lesson():
    return noise_of(PROMPTS)


# What it may be made of


def test_what_is_free_is_read_as_itself_wherever_it_stands(tokenizer, free):
    rng = np.random.default_rng(0)
    assert len(free) > 100 and not {*free} & {*tokenizer.all_special_ids}
    for _ in range(50):
        some = rng.choice(free, 6).tolist()
        said = vocabulary.text(tokenizer, some)
        assert said.isprintable()
        assert vocabulary.ids(tokenizer, f"{said} a church")[:6] == some


def test_nothing_that_spells_a_forbidden_word_is_free(tokenizer):
    said = lambda *words: {  # noqa: E731
        vocabulary.text(tokenizer, [n]) for n in vocabulary.free(tokenizer, words)
    }
    every = said()
    assert {"church", "golf", "ball", "balloon", "of", "do", "style"} <= every
    assert every - said("Church") == {"church"}
    assert every - said("golf ball") == {"golf", "ball", "balloon"}
    assert every - said("of") == {"of"}, "two letters stand in many words"


def test_a_word_that_does_not_fit_is_not_free(tokenizer):
    kept = vocabulary.free(tokenizer, [], lambda word: word != "candle")
    assert {*vocabulary.free(tokenizer, [])} - {*kept} == {*vocabulary.ids(tokenizer, "candle")}


def test_a_forbidden_token_that_is_none_is_told_with_what_it_is_read_as(tokenizer):
    assert vocabulary.missing(tokenizer, ["church", "Candle"]) == {}
    told = vocabulary.missing(tokenizer, ["cathedral", "golf ball", ""])
    assert set(told) == {"cathedral", "golf ball", ""}
    assert "".join(told["cathedral"]) == "cathedral</w>" and told["golf ball"][1] == "ball</w>"


def test_what_a_concepts_prompts_say_of_it_alone_is_forbidden():
    asked = {"sweep": [{"concepts": ["church", "Monet"], "variants": ["pruned", "prefix"]}]}
    sweep = sweep_of(learning={"forbid": ["candle"]}, **asked)
    assert attackers.forbidden(sweep, "church") == ["church", "candle"]
    own = attackers.forbidden(sweep, "monet")
    assert own == ["Monet", "in", "the", "style", "candle"], "of is in the base's prompts, too"


ONE = {"concepts": ["church"], "variants": ["pruned"]}


@pytest.mark.parametrize(
    "tokens, forbid, told",
    [
        ([5], ["cathedral"], "^learning.forbid: 'cathedral' is no token .* is read as ca"),
        ([5, 20], [], "^a prefix of 20 tokens before 'a church in a .* longer than the 22 that"),
    ],
)
def test_a_prefix_that_cannot_be_is_refused_before_any_job(tokens, forbid, told):
    attacks = {"prefix": {"kind": "prefix", "tokens": tokens}}
    sweep = sweep_of(
        attacks=attacks, learning={"forbid": forbid}, sweep=[ONE | {"attacks": ["prefix"]}]
    )
    with pytest.raises(Refused, match=told):
        odd_prefixes(sweep, MODEL)


def test_a_vocabulary_that_nothing_is_left_of_is_refused(tokenizer):
    every = [vocabulary.text(tokenizer, [n]) for n in vocabulary.free(tokenizer, [])]
    asked = {"attacks": {"prefix": {"kind": "prefix"}}, "sweep": [ONE | {"attacks": ["prefix"]}]}
    odd_prefixes(sweep_of(learning={"forbid": every[1:20]}, **asked), MODEL)
    with pytest.raises(Refused, match="^'church': nothing is left of the vocabulary"):
        odd_prefixes(sweep_of(learning={"forbid": every}, **asked), MODEL)
    odd_prefixes(sweep_of(learning={"forbid": ["cathedral"]}, sweep=[ONE]), MODEL)


def test_a_judge_cannot_pick_of_more_pictures_than_a_prompt_has():
    told = "^best_of: a judge cannot pick of 4 pictures of a prompt: of church's one has 3 at most"
    images = {"erased": 3, "preserved": 1}
    none_to_pick(sweep_of(sweep=[ONE], images=images, best_of=[2, 3]))
    with pytest.raises(Refused, match=told):
        none_to_pick(sweep_of(sweep=[ONE], images=images, best_of=[2, 4]))


def test_a_concept_may_have_enough_where_another_has_few():
    """A style has many prompts, and of each few pictures."""
    images = {"erased": 100, "preserved": 1}
    both = [ONE | {"concepts": ["church", "Pablo Picasso"]}]
    none_to_pick(sweep_of(sweep=both, images=images, best_of=[10]))
    with pytest.raises(Refused, match="^best_of: a judge cannot pick of 10 .* Picasso's one has 3"):
        none_to_pick(
            sweep_of(sweep=[ONE | {"concepts": ["Pablo Picasso"]}], images=images, best_of=[10])
        )


# How it is found


def test_the_nearest_point_of_the_simplex_is_what_bisection_finds():
    rng = np.random.default_rng(1)
    given = torch.from_numpy(rng.normal(0, 1, (40, 7)).astype(np.float32))
    made = prefix.simplex(given)
    for row, own in zip(given.double(), made):
        low, high = row.min() - 1, row.max()
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if (row - middle).clamp(0, 1).sum() > 1 else (low, middle)
        torch.testing.assert_close(own, (row - low).clamp(0, 1).float(), atol=1e-6, rtol=0)
    assert torch.equal(prefix.simplex(torch.eye(3)), torch.eye(3))


def found(pipe, lesson, free, at, tokens=2, **more):
    seen = []
    patch, destroyed = prefix.found(
        pipe, lesson, free, tokens, at, SETTINGS | more, done=lambda *told: seen.append(told)
    )
    return {step: one[patches.PREFIX] for step, one in patch.items()}, destroyed, seen


def test_a_search_repeats_itself_and_touches_nothing_else(pipe, lesson, free):
    before = {n: p.detach().clone() for n, p in pipe.unet.named_parameters()}
    meant = embedded(pipe, PROMPTS)
    long, destroyed, seen = found(pipe, lesson, free, [1, 3])
    assert destroyed is None and [step for step, _ in seen] == [1, 3]
    assert all(torch.equal(p, before[n]) for n, p in pipe.unet.named_parameters())
    assert torch.equal(embedded(pipe, PROMPTS), meant), "no prompt means anything else"
    for said in long.values():
        assert said.shape == (1, 2) and said.dtype == np.int64 and {*said.flat} <= {*free}
    short, _, _ = found(pipe, lesson, free, [1])
    assert (short[1] == long[1]).all()
    pipe.unet = small_unet()
    again, _, _ = found(pipe, lesson, free, [1, 3])
    assert all((again[step] == long[step]).all() for step in (1, 3))


def test_the_gradient_is_that_of_the_drawn_tokens_by_the_vocabulary(pipe, lesson, free):
    """One step of Adam from the middle goes by the gradient's sign: of every token, the sign that
    the embedding's own gradient gives it."""
    felt = {}

    def watched(self, closure=None):
        felt["weights"] = self.param_groups[0]["params"][0].grad.clone()

    step, torch.optim.Adam.step = torch.optim.Adam.step, watched
    try:
        found(pipe, lesson, free, [1], tokens=1)
    finally:
        torch.optim.Adam.step = step
    draws = torch.Generator().manual_seed(1_000_003)
    rows = torch.randperm(3, generator=draws)[:2]
    batch = prefix.noised(pipe, lesson.latents[rows], draws)
    at = torch.multinomial(torch.full((1, len(free)), 1 / len(free)), 1, generator=draws).item()
    said = vocabulary.text(pipe.tokenizer, [free[at]])
    table, given = pipe.text_encoder.get_input_embeddings(), []
    table.weight.requires_grad_(False)

    def leaf(module, inputs, out):
        given.append(out.detach().requires_grad_(True))
        return given[0]

    hook = table.register_forward_hook(leaf)
    told = embedded(pipe, [f"{said} {lesson.prompts[i]}" for i in rows.tolist()])
    hook.remove()
    loss = (prefix.predicted(pipe, batch, told) - batch.wanted).square().mean()
    (own,) = torch.autograd.grad(loss, given)
    expected = own[:, 1].sum(0) @ table.weight[free].T
    torch.testing.assert_close(felt["weights"][0], expected, rtol=1e-4, atol=1e-9)


def test_the_words_that_a_network_wants_are_found(pipe, lesson, free, monkeypatch):
    """Of a network whose error is how far the text is from one that "spider candle" begins."""
    with torch.no_grad():
        wanted = embedded(pipe, [f"spider candle {prompt}" for prompt in PROMPTS])[:, 1:3].mean(0)

    def predicted(pipe, batch, words):
        return batch.wanted + (words[:, 1:3] - wanted).square().mean().sqrt()

    monkeypatch.setattr(prefix, "predicted", predicted)
    last, _, _ = found(pipe, lesson, free, [50], tokens=2, rate=0.05)
    assert vocabulary.text(pipe.tokenizer, last[50][0]) == "spider candle"


def test_a_search_whose_gradient_is_no_number_keeps_what_was_before(
    pipe, lesson, free, monkeypatch
):
    whole, calls = prefix.predicted, []

    def breaks(*told):
        calls.append(1)
        return whole(*told) * (np.nan if len(calls) == 3 else 1)

    monkeypatch.setattr(prefix, "predicted", breaks)
    made, destroyed, seen = found(pipe, lesson, free, [2, 3, 9])
    assert destroyed == 3 and [step for step, _ in seen] == [2, 3, 9]
    assert (made[3] == made[2]).all() and (made[9] == made[2]).all()


def test_each_position_says_its_heaviest_token_that_may_follow(tokenizer):
    free = [vocabulary.ids(tokenizer, word)[0] for word in ("gas", "school", "bus")]
    weights = torch.tensor([[0.1, 0.6, 0.3], [0.0, 0.3, 0.7]])
    said = lambda fit: vocabulary.text(  # noqa: E731
        tokenizer, prefix.read(tokenizer, weights, free, fit)
    )
    assert said(lambda text: True) == "school bus"
    assert said(lambda text: "school bus" not in text) == "school school"
    with pytest.raises(ValueError, match="no word of the vocabulary fits"):
        said(lambda text: text == "school")


# What is drawn with it


def test_random_prefixes_are_drawn_evenly_and_fit_their_prompts(tokenizer, free):
    gas = vocabulary.ids(tokenizer, "gas")[0]
    fit = lambda text: "gas" not in text  # noqa: E731
    one, same, other = (
        prefix.at_random(tokenizer, free, 3, seed, PROMPTS, names_adults)[patches.PREFIX]
        for seed in (0, 0, 1)
    )
    assert one.shape == (prefix.DRAWN, 3) and one.dtype == np.int64
    assert (one == same).all() and (one != other).any() and {*one.flat} <= {*free}
    few = [free[0], gas]
    kept = prefix.at_random(tokenizer, few, 2, 0, PROMPTS, fit)[patches.PREFIX]
    assert {*kept.flat} == {free[0]}


def test_prefixes_take_turns_by_the_seed_of_a_picture(pipe, tokenizer):
    tokens = np.array([vocabulary.ids(tokenizer, text) for text in ("gas web", "cat in")])
    rows = [{"prompt": PROMPTS[0], "seed": seed, "class": "church"} for seed in (4, 7)]
    told = words.asked(pipe, rows, {patches.PREFIX: tokens}, "")
    assert [row["prompt"] for row in told] == [
        "gas web an image of a church",
        "cat in an image of a church",
    ]
    assert [row | {"prompt": PROMPTS[0]} for row in told] == rows
    assert patches.apply({}, {patches.PREFIX: tokens}) == {}
