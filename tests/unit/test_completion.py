"""The solvers against slow versions with a full SVD in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regrowth.completion import complete

SHAPES = [(12, 40), (40, 12), (24, 60)]


def problem(shape, seed=0, share=0.15, rank=4):
    rng = np.random.default_rng(seed)
    low = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    weights = low + 0.3 * rng.normal(size=shape)
    missing = rng.random(shape) < share
    return weights, missing


def slow_iterates(weights, missing, n):
    """The first n iterates of the paper's iteration, for checking the stop by hand."""
    x = np.where(missing, np.nan, weights)
    out = [np.where(missing, np.nanmean(x, axis=0), x)]
    for _ in range(n):
        u, s, v = np.linalg.svd(out[-1], full_matrices=False)
        out.append(np.where(missing, (u * (s - s[-1])) @ v, weights))
    return out


@pytest.mark.parametrize("shape", SHAPES)
def test_faithful_equals_the_full_svd_iteration(shape):
    weights, missing = problem(shape)
    done = complete(weights, missing, "faithful")
    x = slow_iterates(weights, missing, done.iterations)
    change = [np.linalg.norm(x[i] - x[i - 2]) / np.linalg.norm(x[i - 2]) for i in range(2, len(x))]
    assert done.converged and change[-1] < 1e-5 and min(change[:-1]) >= 1e-5
    np.testing.assert_allclose(done.values, x[-1][missing], rtol=1e-4, atol=1e-5)
    assert (np.sign(done.values) == np.sign(x[-1][missing])).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_nuclear_reaches_the_optimum(shape):
    """No slow solver needed: at the minimum of a convex norm no direction goes down."""
    weights, missing = problem(shape, seed=1)
    done = complete(weights, missing, "nuclear")
    assert done.converged
    x = np.where(missing, 0, weights)
    x[missing] = done.values
    norm = np.linalg.norm(x, "nuc")
    u, _, v = np.linalg.svd(x, full_matrices=False)
    slope = (u @ v)[missing]
    assert np.linalg.norm(slope) < 0.02 * np.sqrt(missing.sum())
    rng = np.random.default_rng(2)
    for _ in range(20):
        other = x.copy()
        other[missing] += 0.1 * rng.normal(size=missing.sum())
        assert np.linalg.norm(other, "nuc") > norm


def test_solvers_agree_and_recover_low_rank_signs():
    weights, missing = problem((48, 160), seed=3)
    guess = {s: np.sign(complete(weights, missing, s).values) for s in ("faithful", "nuclear")}
    assert (guess["faithful"] == guess["nuclear"]).mean() >= 0.999
    assert (guess["nuclear"] == np.sign(weights[missing])).mean() > 0.9


@pytest.mark.parametrize("solver", ["faithful", "nuclear"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_scaling_and_permuting(solver, seed, factor):
    weights, missing = problem((8, 20), seed)
    one = np.zeros(weights.shape)
    one[missing] = complete(weights, missing, solver).values
    scaled = complete(weights * factor, missing, solver).values
    np.testing.assert_allclose(scaled, factor * one[missing], rtol=2e-3, atol=2e-3 * factor)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(8), rng.permutation(20)
    mixed = np.ix_(rows, columns)
    moved = complete(weights[mixed], missing[mixed], solver).values
    np.testing.assert_allclose(moved, one[mixed][missing[mixed]], rtol=2e-3, atol=2e-3)


def test_what_stands_at_missing_positions_is_ignored():
    weights, missing = problem((10, 30))
    spoiled = np.where(missing, np.nan, weights)
    for solver in ("faithful", "nuclear"):
        a, b = complete(weights, missing, solver), complete(spoiled, missing, solver)
        np.testing.assert_array_equal(a.values, b.values)


def test_a_zero_row_is_told_and_not_passed_off_as_a_result():
    weights, missing = problem((10, 30))
    weights[3], missing[3] = 0, False
    done = complete(weights, missing, "faithful")
    assert not done.converged and "column means" in done.note
    assert complete(weights, missing, "nuclear").converged


def test_bad_input_is_refused():
    weights, missing = problem((4, 6))
    with pytest.raises(ValueError, match="unknown solver 'magic'; known: faithful, nuclear"):
        complete(weights, missing, "magic")
    with pytest.raises(ValueError, match="everything is missing"):
        complete(weights, np.ones_like(missing), "nuclear")
    with pytest.raises(ValueError, match=r"mask of shape \(6, 4\) for weights of shape \(4, 6\)"):
        complete(weights, missing.T, "nuclear")
    bad = weights.copy()
    bad[~missing] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        complete(bad, missing, "nuclear")
    assert complete(weights, np.zeros_like(missing), "nuclear").values.shape == (0,)
