"""The estimate of what leaks, held against signs that were really lost."""

import numpy as np
import pytest
import torch
import zoo
from regrowth.audit import leak
from regrowth.complete.engine import complete_all
from regrowth.models import disk

LAYERS = disk.attacked_layers(zoo.MODEL, "ffn2")
WHOLE = {n: w.astype(np.float32) for n, w in disk.read_weights(LAYERS).items()}
NOISE = {n: np.random.default_rng(4).normal(size=w.shape).astype("f4") for n, w in WHOLE.items()}


def conceptprune_like(share):
    return lambda layers: zoo.holes({n: torch.from_numpy(w) for n, w in layers.items()}, share)


def at_random(share):
    rng = np.random.default_rng(1)
    return lambda layers: {n: rng.random(w.shape) < share for n, w in layers.items()}


def small(share):
    return lambda layers: {n: abs(w) < np.quantile(abs(w), share) for n, w in layers.items()}


def whole_rows(layers):
    return {n: np.arange(w.size).reshape(w.shape) // w.shape[1] % 9 == 4 for n, w in layers.items()}


CASES = {
    "large, few": (WHOLE, conceptprune_like(0.01), "large"),
    "large, many": (WHOLE, conceptprune_like(0.15), "large"),
    "at random": (WHOLE, at_random(0.05), "any"),
    "at random, many": (WHOLE, at_random(0.3), "any"),
    "small": (WHOLE, small(0.05), "small"),
    "small, many": (WHOLE, small(0.3), "small"),
    "whole rows": (WHOLE, whole_rows, "any"),
    "of noise": (NOISE, conceptprune_like(0.05), "large"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_estimate_is_what_is_true_within_its_error(case):
    layers, mask, taken = CASES[case]
    masks = {n: m & (layers[n] != 0) for n, m in mask(layers).items()}
    cut = {n: (np.where(masks[n], 9, w), masks[n]) for n, w in layers.items()}
    told = leak.estimate(cut)
    right = []
    for name, done in complete_all(cut, "gauss-spin").items():
        lost = np.sign(layers[name][masks[name]])
        right.append(np.where(done.sure == 0, 0.5, np.sign(done.sure) == lost))  # a guess
    true = float(np.concatenate(right).mean())
    assert told.taken == taken and told.missing == sum(m.sum() for m in masks.values())
    assert told.low <= true <= told.high, (told, true)
    assert told.error < 0.07 and told.accuracy > 0.45


def test_nothing_missing_and_nothing_to_hide_is_no_estimate():
    w = NOISE[LAYERS[0].name]
    assert leak.estimate({"x": (w, np.zeros(w.shape, bool))}) is None
    few = np.zeros(w.shape, bool)
    few[0, 0] = True  # a quarter of one weight
    assert leak.estimate({"x": (w, few)}) is None


def test_how_far_the_largest_were_taken():
    """Of many normal weights: 1 where a column's largest are gone, 0 where any are."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(20000, 4))
    top = abs(w) > np.quantile(abs(w), 0.8, axis=0)
    assert leak.largest({"x": (w, top)}) == pytest.approx(1, abs=0.02)
    assert leak.largest({"x": (w, rng.random(w.shape) < 0.2)}) == pytest.approx(0, abs=0.15)
    assert leak.smallest({"x": (w, abs(w) < np.quantile(abs(w), 0.2))}) > 0.8
    assert leak.smallest({"x": (w, rng.random(w.shape) < 0.2)}) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("how", ["large", "any", "small"])
def test_what_is_hidden_is_what_would_have_been_taken_next(how):
    rng = np.random.default_rng(0)
    w = rng.normal(size=(40, 30))
    missing = rng.random(w.shape) < 0.3
    missing[:39, 0] = True  # one is left, and stays
    hidden = leak.hidden_like(w, missing, how, rng)
    assert not (hidden & missing).any() and not hidden[:, 0].any()
    assert hidden.sum() == pytest.approx(missing.sum() / 4 - 39 / 4, abs=1)
    for column in range(1, 30):
        kept = abs(w[~missing[:, column], column])
        taken = abs(w[hidden[:, column], column])
        ordered = np.sort(kept)
        if how == "large":
            np.testing.assert_array_equal(np.sort(taken), ordered[len(kept) - len(taken) :])
        if how == "small":
            np.testing.assert_array_equal(np.sort(taken), ordered[: len(taken)])


def test_trust_is_the_power_that_the_odds_were_made_with():
    rng = np.random.default_rng(0)
    odds = rng.exponential(size=200_000)
    right = rng.random(len(odds)) < 1 / (1 + np.exp(-1.7 * odds))
    assert leak.trust(np.tanh(odds / 2), right) == pytest.approx(1.7, rel=0.03)
