"""Masks, revival, patches and sign measures against slow versions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regrowth.attack import MAGNITUDES
from regrowth.attack.magnitudes import magnitudes
from regrowth.attack.revival import generator, revive, top_k
from regrowth.draw import patches
from regrowth.erase.conceptprune import conceptprune_mask
from regrowth.files.bits import pack, unpack
from regrowth.measure import signs
from scipy.stats import foldnorm, kstest


def random(shape=(6, 10), share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(np.float32), rng.random(shape) < share


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_packed_bits_come_back(rows, columns, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    np.testing.assert_array_equal(unpack(pack(mask), mask.shape), mask)


def test_bits_are_packed_row_major_eight_to_a_byte():
    mask = np.zeros((2, 5), bool)
    mask[0, 1] = mask[1, 4] = True
    assert pack(mask).tolist() == [0b01000000, 0b01000000] and pack(mask).dtype == np.uint8


@pytest.mark.parametrize(
    "ratio, n", [(0.02, 20), (0.3, 20), (1, 20), (0.3, 3000), (0.01, 3000), (0.0005, 3000)]
)
def test_conceptprune_mask_against_a_loop(ratio, n):
    weights, _ = random((5, n))
    rng = np.random.default_rng(1)
    target, base = rng.random((3, n)), rng.random((3, n))
    base[:, ::3] = target[:, ::3]  # no more for the target than for the base: not chosen
    wanted = np.zeros(weights.shape, bool)
    for step in range(3):
        for i in range(5):
            score = [abs(weights[i, j]) * target[step, j] for j in range(n)]
            best = sorted(range(n), key=lambda j: -score[j])[: max(1, int(ratio * n))]
            for j in best:
                if score[j] > abs(weights[i, j]) * base[step, j]:
                    wanted[i, j] = True
    np.testing.assert_array_equal(conceptprune_mask(weights, target, base, ratio), wanted)
    assert wanted.any() and wanted.sum() < 3 * 5 * max(1, int(ratio * n))
    with pytest.raises(ValueError, match="shorter"):
        conceptprune_mask(weights, target, base[:2], ratio)


@given(st.integers(1, 50), st.sampled_from([0.2, 0.4, 0.6, 0.8, 1.0]), st.integers(0, 99))
def test_top_k_keeps_the_largest(n, k, seed):
    values = np.random.default_rng(seed).normal(size=n)
    keep = top_k(values, k)
    assert keep.sum() == math.ceil(k * n - 1e-9)
    if not keep.all():
        assert np.abs(values[keep]).min() >= np.abs(values[~keep]).max()


def test_top_k_is_exact_where_k_n_is_whole():
    assert top_k(np.arange(10.0), 0.6).sum() == 6  # 0.6 * 10 is 6.000…01 in floating point
    assert top_k(np.arange(7.0), 0.3).sum() == 3


def test_of_equal_values_top_k_keeps_the_earlier():
    values = np.random.default_rng(0).integers(-3, 4, 999).astype(float)
    first = sorted(range(999), key=lambda i: -abs(values[i]))[:370]  # Python's order is stable
    assert np.flatnonzero(top_k(values, 0.37)).tolist() == sorted(first)


def test_magnitudes_come_from_the_rows_unpruned_weights():
    weights, missing = random()
    missing[2] = True  # a neuron with nothing left falls back to the layer
    whole = np.abs(weights[~missing])
    rng = np.random.default_rng(0)
    got = {kind: magnitudes(weights, missing, kind, rng) for kind in ("max", "mean", "sample")}
    assert list(MAGNITUDES) == ["max", "mean", "sample", "normal-sample", "layer-sample"]
    at = 0
    for i, gone in enumerate(missing):
        kept = whole if gone.all() else np.abs(weights[i][~gone])
        for _ in range(gone.sum()):
            assert got["max"][at] == kept.max()
            assert got["mean"][at] == pytest.approx(kept.mean())
            assert got["sample"][at] in kept
            at += 1
    assert at == missing.sum() == len(got["max"])
    with pytest.raises(
        ValueError, match="^unknown magnitude 'median'; known: max, mean, sample, n"
    ):
        magnitudes(weights, missing, "median", rng)
    told = "^nothing is unpruned: there is no magnitude to take$"
    with pytest.raises(ValueError, match=told):
        magnitudes(weights, np.ones_like(missing), "max", rng)


def test_the_papers_neuron_sample_is_a_normal_of_the_rows_own_weights():
    """|N(μ, σ²)|, signs and all: of a row that is nearly constant nearly that constant."""
    make = np.random.default_rng(1)
    weights = np.stack([-3 + 0.1 * make.normal(size=9000), make.normal(1, 2, size=9000)])
    missing = make.random(weights.shape) < 0.5
    drawn = magnitudes(weights, missing, "normal-sample", np.random.default_rng(0))
    first, second = np.split(drawn, [missing[0].sum()])
    kept = weights[1][~missing[1]]
    error = 4 / len(first) ** 0.5  # standard errors of a mean
    assert first.mean() == pytest.approx(3, abs=0.1 * error)
    assert first.std() == pytest.approx(0.1, abs=0.1 * error)
    folded = foldnorm(abs(kept.mean()) / kept.std(), scale=kept.std())
    assert second.mean() == pytest.approx(folded.mean(), abs=2 * error)
    assert kstest(second, folded.cdf).pvalue > 1e-4
    assert (drawn >= 0).all()


def test_every_layer_and_seed_draws_from_a_stream_of_its_own():
    cells = [("0", "a"), ("none", "a"), ("1", "a"), ("0", "b"), ("0", "ab"), ("10", "a")]
    drawn = [generator(*cell).normal(size=3).tolist() for cell in cells]
    assert drawn[0] == drawn[1] == generator("0", "a").normal(size=3).tolist()
    assert len(set(map(tuple, drawn))) == len(cells) - 1


def test_revive_signs_and_zeros():
    weights, missing = random()
    completed = np.random.default_rng(4).normal(size=missing.sum())
    values = revive(weights, missing, completed, 0.5, "max", np.random.default_rng(0))
    keep = top_k(completed, 0.5)
    largest = np.repeat(np.where(missing, 0, np.abs(weights)).max(1), missing.sum(1))
    np.testing.assert_array_equal(np.abs(values[keep]), largest[keep])
    assert values.dtype == np.float32
    assert (values[~keep] == 0).all() and (np.sign(values[keep]) == np.sign(completed[keep])).all()


def test_a_patch_changes_its_positions_and_nothing_else():
    weights, missing = random()
    other, _ = random(seed=5)
    values = np.arange(missing.sum(), dtype=np.float32)
    out = patches.apply({"a": weights, "b": other}, patches.values_patch("a", missing, values))
    np.testing.assert_array_equal(out["a"][missing], values)
    np.testing.assert_array_equal(out["a"][~missing], weights[~missing])
    np.testing.assert_array_equal(out["b"], other)


def test_sign_accuracy_against_counting():
    rng = np.random.default_rng(0)
    truth, guess = rng.normal(size=100), rng.normal(size=100)
    truth[:3] = 0  # no sign to recover
    table = signs.sign_accuracy(truth, guess).set_index("share")
    left = [(abs(g), (g > 0) == (t > 0)) for g, t in zip(guess[3:], truth[3:])]
    left.sort(key=lambda pair: -pair[0])
    n = math.ceil(0.2 * 97)
    assert table.loc[0.2, "n"] == n and table.loc[0.2, "n_rest"] == 97 - n
    assert table.loc[0.2, "right"] == sum(ok for _, ok in left[:n])
    assert table.loc[0.2, "right_rest"] == sum(ok for _, ok in left[n:])
    assert table.loc[1.0, "right"] == sum(ok for _, ok in left)


def test_alignment_of_a_perfect_and_a_reversed_recovery():
    truth = np.random.default_rng(0).normal(size=50)
    np.testing.assert_array_equal(signs.alignment(truth, 3 * truth), np.eye(5))
    np.testing.assert_array_equal(signs.alignment(truth, 1 / truth), np.eye(5)[::-1])


def test_majority_follows_the_kept_weights():
    weights = np.array([[1.0, 2, -3, 9], [-1, -2, 3, 9], [1, -1, 9, 9]])
    missing = weights == 9
    np.testing.assert_allclose(signs.majority(weights, missing, axis=1), [1 / 3, -1 / 3, 0, 0])
    np.testing.assert_allclose(signs.majority(weights, missing, axis=0), [0, 0, 0, 0])
