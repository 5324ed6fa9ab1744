"""UCE and RECE: against least squares, and by what their solutions must be."""

import numpy as np
import pytest
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase import closed_form
from regrowth.erase.closed_form import READERS, derived, edited, targets, uce, words
from regrowth.models import disk
from road import ROOT

MODEL = ROOT / "resources/demo/model"
rng = np.random.default_rng(0)
BEFORE = {name: rng.normal(size=(out, 6)) for name, out in (("k", 5), ("v", 3))}
CONCEPT, GUIDE, OTHERS = (rng.normal(size=(n, 6)) for n in (2, 2, 4))
WANTED = targets(BEFORE, GUIDE)


@pytest.mark.parametrize("scales", [(0.5, 1.0, 1.0), (0.01, 10.0, 0.1), (2.0, 1.0, 0.0)])
def test_uce_is_the_ridge_regression(scales):
    ridge, erase, preserve = scales
    made = edited(BEFORE, CONCEPT, WANTED, OTHERS, *scales)
    for name, w in BEFORE.items():
        rows = [
            np.sqrt(ridge) * np.eye(6),
            np.sqrt(erase) * CONCEPT,
            np.sqrt(preserve) * OTHERS,
        ]
        said = [
            np.sqrt(ridge) * w.T,
            np.sqrt(erase) * WANTED[name],
            np.sqrt(preserve) * OTHERS @ w.T,
        ]
        wanted, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(said), rcond=None)
        np.testing.assert_allclose(made[name], wanted.T, atol=1e-9)


def test_what_is_held_fast_stays_and_what_is_not_goes_where_it_is_sent():
    still = edited(BEFORE, CONCEPT, WANTED, OTHERS, 1e12, 1.0, 1.0)
    sent = edited(BEFORE, CONCEPT, WANTED, OTHERS[:3], 1e-9, 1.0, 1.0)
    none = edited(BEFORE, CONCEPT, WANTED, OTHERS, 0.5, 0.0, 1.0)
    for name, w in BEFORE.items():
        np.testing.assert_allclose(still[name], w, atol=1e-6)
        np.testing.assert_allclose(none[name], w, atol=1e-9)
        np.testing.assert_allclose(CONCEPT @ sent[name].T, WANTED[name], atol=1e-6)
        np.testing.assert_allclose(OTHERS[:3] @ sent[name].T, OTHERS[:3] @ w.T, atol=1e-6)


def test_one_word_with_nothing_preserved_changes_a_matrix_by_one_direction():
    made = edited(BEFORE, CONCEPT[:1], targets(BEFORE, GUIDE[:1]), OTHERS[:0], 0.5, 1.0, 1.0)
    for name, w in BEFORE.items():
        _, sizes, right = np.linalg.svd(made[name] - w)
        assert sizes[1] < 1e-12 * sizes[0]
        word = CONCEPT[0] / np.linalg.norm(CONCEPT[0])
        assert abs(right[0] @ word) == pytest.approx(1)


def test_rece_finds_the_embedding_that_brings_the_old_values_nearest():
    after = edited(BEFORE, CONCEPT, WANTED, OTHERS, 0.5, 1.0, 1.0)

    def left(c, ridge=0.1):
        misses = [after[n] @ c - w @ CONCEPT[0] for n, w in BEFORE.items()]
        return sum(m @ m for m in misses) + ridge * c @ c

    found = derived(BEFORE, after, CONCEPT[0], 0.1)
    slopes = [(left(found + h) - left(found - h)) / 2e-4 for h in 1e-4 * np.eye(6)]
    np.testing.assert_allclose(slopes, 0, atol=1e-7)
    assert left(found) < left(CONCEPT[0])


@pytest.fixture(scope="module")
def pipe():
    return load_pipeline(MODEL, "float32", "cpu")


def test_a_word_is_read_at_its_last_token(pipe):
    ids = pipe.tokenizer("mountain bike").input_ids
    whole = pipe.encode_prompt(["mountain bike"], "cpu", 1, False)[0].detach().numpy()[0]
    np.testing.assert_allclose(words(pipe, ["mountain bike"])[0], whole[len(ids) - 2], atol=1e-6)
    start = pipe.encode_prompt(["anything"], "cpu", 1, False)[0].detach().numpy()[0, 0]
    np.testing.assert_allclose(words(pipe, [""])[0], start, atol=1e-5)
    assert words(pipe, []).shape == (0, whole.shape[1])


def test_keys_and_values_of_every_cross_attention_are_solved_for(pipe):
    weights = disk.read_weights(list(disk.matrices(MODEL).values()))
    about = {"name": "church", "others": ["candle", "racket"]}
    settings = closed_form.Uce(guide="candle", ridge=1e-6).of("object")
    made = uce(pipe, weights, about, settings)
    assert set(made) == {n for n in weights if "attn2.to_k" in n or "attn2.to_v" in n}
    assert len(made) == 32 and all(READERS.search(name) for name in made)
    church, candle, racket = words(pipe, ["church", "candle", "racket"])
    for name, w in made.items():
        assert w.dtype == np.float32 and w.shape == weights[name].shape
        scale = np.abs(weights[name] @ candle).max()
        np.testing.assert_allclose(w @ church, weights[name] @ candle, atol=1e-2 * scale)
        np.testing.assert_allclose(w @ racket, weights[name] @ racket, atol=1e-2 * scale)
    again = closed_form.rece(pipe, weights, about, closed_form.Rece(guide="candle").of("style"))
    assert set(again) == set(made)
