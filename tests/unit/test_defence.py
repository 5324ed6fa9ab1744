"""Defences against their definitions; detectors and detectability against slow versions."""

import numpy as np
import pytest
from pydantic import TypeAdapter
from regrowth.attack import DETECTORS, detectors
from regrowth.attack.settings import Detector
from regrowth.complete.engine import complete
from regrowth.defend import FILLS, fills
from regrowth.draw import GUARDS
from regrowth.files import store
from regrowth.measure import detectability
from regrowth.models import disk
from regrowth.study import config
from scipy.special import expit
from scipy.stats import kstest, mannwhitneyu, norm, poisson

SCORES = {name: d.score for name, d in DETECTORS.items() if d.share}


def layer(shape=(40, 160), rank=8, noise=0.4, share=0.05, seed=0):
    """A layer that is nearly of low rank, with its larger weights erased in some columns."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1])) / rank**0.5
    weights = ((weights + noise * rng.normal(size=shape)) * 0.03).astype(np.float32)
    score = np.abs(weights) * np.exp(rng.normal(size=shape[1]))
    mask = score >= np.quantile(score, 1 - share)
    return np.where(mask, 0, weights).astype(np.float32), mask, weights


def rng(seed=0):
    return np.random.default_rng(seed)


# Defences


@pytest.mark.parametrize("kind", FILLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_defence_keeps_what_was_kept(kind, dtype):
    weights, mask, truth = layer()
    weights = weights.astype(dtype)
    more = [truth[mask]] if FILLS[kind].completed else []
    out = FILLS[kind].fill(weights, mask, 1.0, rng(), *more)
    assert out.dtype == dtype and out.shape == weights.shape
    assert out is not weights and (weights[mask] == 0).all()
    if kind == "decoy":
        assert (out[mask] == 0).all() and set(np.unique(out)) <= set(np.unique(weights))
    else:
        assert (out[mask] != 0).all()
        np.testing.assert_array_equal(out[~mask], weights[~mask])


def test_gaussian_fill_has_its_sigma():
    weights, mask, _ = layer((300, 400))
    filled = fills.gaussian(weights, mask, 0.5, rng())
    assert filled[mask].std() == pytest.approx(0.5 * weights[~mask].std(), rel=0.03)
    filled = fills.gaussian_absolute(weights, mask, 0.5, rng())
    assert filled[mask].std() == pytest.approx(0.5, rel=0.03)


def test_what_is_drawn_anew_is_even_and_as_wide_as_a_new_layer():
    weights, mask, _ = layer((300, 400))
    drawn = fills.uniform(weights, mask, 1.0, rng())[mask]
    bound = 400**-0.5  # torch.nn.Linear(400, 300)'s own
    assert kstest(drawn, "uniform", (-bound, 2 * bound)).pvalue > 0.01
    np.testing.assert_allclose(fills.uniform(weights, mask, 0.5, rng())[mask], drawn / 2, rtol=1e-6)
    assert (fills.constant(weights, mask, 1.0, rng())[mask] == 1).all()


def test_row_fill_comes_from_the_kept_weights_of_its_row():
    weights, mask, _ = layer()
    filled = fills.row(weights, mask, 2.0, rng())
    for before, after, gone in zip(weights, filled, mask):
        assert np.isin(after[gone], 2 * before[~gone]).all()
    mask[3] = True
    filled = fills.row(weights, mask, 1.0, rng())
    assert np.isin(filled[3], weights[~mask]).all()


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0, 1000.0])
def test_decoys_are_the_smallest_kept_of_each_row(sigma):
    weights, mask, _ = layer()
    out = fills.decoy(weights, mask, sigma, rng())
    for before, after, gone in zip(weights, out, mask):
        new = (after == 0) & ~gone
        assert new.sum() == min(round(sigma * gone.sum()), (~gone).sum())
        still = ~new & ~gone
        if new.any() and still.any():
            assert np.abs(before[new]).max() <= np.abs(before[still]).min()


def test_flip_contradicts_the_completion():
    weights, mask, truth = layer()
    filled = fills.flip(weights, mask, 1.5, rng(), truth[mask])
    np.testing.assert_array_equal(np.sign(filled[mask]), -np.sign(truth[mask]))
    for before, after, gone in zip(weights, filled, mask):
        assert np.isin(np.abs(after[gone]), np.abs(np.float32(1.5) * before[~gone])).all()


@pytest.mark.parametrize("strength", [0.1, 0.6, 5.0])
def test_surrogate_is_prediction_and_noise_of_the_spread_asked_for(strength):
    weights, mask, truth = layer((300, 400), share=0.1)
    completed = strength * weights[~mask].std() * rng(8).normal(size=mask.sum())
    filled = fills.surrogate(weights, mask, 1.0, rng(), completed)[mask]
    kept = weights[~mask].std()
    assert filled.std() == pytest.approx(kept, rel=0.03)
    wanted = min(strength, 1.0)
    assert np.corrcoef(filled, completed)[0, 1] == pytest.approx(wanted, abs=0.03)


def test_surrogate_hides_from_the_detector_that_finds_white_noise():
    weights, mask, _ = layer((80, 320), noise=0.3)
    completed = complete(weights, mask).values
    auc = {
        kind: detectability.roc(detectors.combined(filled), mask)["auc"]
        for kind, filled in {
            "gaussian": fills.gaussian(weights, mask, 1.0, rng()),
            "surrogate": fills.surrogate(weights, mask, 1.0, rng(), completed),
        }.items()
    }
    assert auc["surrogate"] < 0.6 and auc["gaussian"] > 0.8


def test_what_a_study_may_ask_for_is_what_there_is():
    known = {"none", *FILLS, *GUARDS}
    assert set(TypeAdapter(config.Defence).json_schema()["enum"]) == known
    check = TypeAdapter(Detector).validate_python
    assert check("zeros") and all(check(f"{name}-0.02") for name in SCORES)


def test_a_layer_without_spread_is_named(tmp_path):
    flat = np.zeros((3, 4), np.float32)
    flat[1] = 0.5
    arrays = {"a.weight": flat, "b.weight": rng().normal(size=(3, 4)), "c.weight": 0 * flat}
    unet = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    store.write_arrays(unet, arrays)
    layers = list(disk.matrices(tmp_path).values())
    assert disk.constant(layers) == ["a.weight", "c.weight"]
    store.write_arrays(unet.with_suffix(".fp16.safetensors"), arrays)
    assert disk.parameters(tmp_path) == 36


# Detectors


def test_left_out_errors_are_those_of_fitting_without_the_column():
    w = layer((6, 30))[2]
    error, precision = detectors._left_out(w)
    ridge = detectors.RIDGE * np.trace(w @ w.T) / 6
    for j in (0, 7, 29):
        rest = np.delete(w, j, axis=1).astype(np.float64)
        gram = rest @ rest.T + ridge * np.eye(6)
        for i in range(6):
            others = np.delete(np.arange(6), i)
            block = gram[np.ix_(others, others)]
            fitted = np.linalg.solve(block, gram[others, i])
            assert error[i, j] == pytest.approx(w[i, j] - fitted @ w[others, j], abs=1e-6)
            left = gram[i, i] - gram[i, others] @ fitted
            assert precision[i, j] == pytest.approx(30 / left, rel=1e-4)


def test_residual_finds_entries_that_do_not_fit():
    truth = layer((60, 240), noise=0.1)[2]
    mask = rng(1).random(truth.shape) < 0.02
    spoilt = np.where(mask, rng(2).permutation(truth.ravel()).reshape(truth.shape), truth)
    found = detectability.roc(detectors.residual(spoilt), mask)
    assert found["auc"] > 0.9 > 0.6 > detectability.roc(detectors.smallest(spoilt), mask)["auc"]


@pytest.mark.parametrize("name", ["residual", "combined"])
def test_a_tall_layer_is_told_as_well_as_a_wide_one(name):
    """More rows than columns: their covariance has no inverse, the columns' has."""
    make = rng(3)
    low = make.normal(size=(400, 10)) @ make.normal(size=(10, 80)) / 10**0.5
    weights = 0.9 * low + 0.3 * make.normal(size=low.shape)
    mask = make.random(weights.shape) < 0.03
    filled = np.where(mask, make.normal(size=low.shape), weights).astype(np.float32)
    wide = np.ascontiguousarray(filled.T)
    told = detectability.roc(SCORES[name](filled), mask)["auc"]
    turned = detectability.roc(SCORES[name](wide), mask.T)["auc"]
    assert told > 0.75 and told == pytest.approx(turned, abs=0.05)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("power", [-100, 60])
def test_the_scale_of_a_layer_does_not_matter_to_a_detector(name, power):
    weights, _, truth = layer((40, 120))
    score = SCORES[name]
    one, other = score(truth), score(np.ldexp(truth, power))
    np.testing.assert_array_equal(np.argsort(one, axis=None), np.argsort(other, axis=None))


@pytest.mark.parametrize("name", ["column", "combined"])
def test_a_detector_expects_that_few_were_erased(name):
    """Of a layer that lost nothing it takes no more than SHARE of all weights to be fills."""
    odds = SCORES[name](rng(5).standard_t(4, size=(60, 300)).astype(np.float32))
    assert 0.01 < expit(odds).mean() < 0.08


@pytest.mark.parametrize("name", SCORES)
def test_every_detector_finds_weights_that_are_nearly_zero(name):
    weights, mask, _ = layer((80, 320))
    filled = fills.gaussian(weights, mask, 0.02, rng())
    auc = detectability.roc(SCORES[name](filled), mask)["auc"]
    loud = ("residual", "combined")  # these look for fills as large as kept weights
    assert auc < 0.6 if name in loud else auc > 0.85


@pytest.mark.parametrize(
    "size, best, beaten", [(0.3, "column", "row"), (1, "combined", "residual")]
)
def test_what_is_known_of_columns_helps(size, best, beaten):
    """Erased weights of some columns, filled with noise, quiet or loud, in a matrix of low rank."""
    make = rng(3)
    low = make.normal(size=(80, 10)) @ make.normal(size=(10, 400)) / 10**0.5
    weights = 0.8 * low + 0.6 * make.normal(size=low.shape)
    mask = make.random(weights.shape) < np.where(make.random(400) < 0.1, 0.4, 0.002)
    filled = np.where(mask, size * make.normal(size=low.shape), weights).astype(np.float32)
    auc = {n: detectability.roc(s(filled), mask)["auc"] for n, s in SCORES.items()}
    assert max(auc, key=auc.get) == best and auc[best] > auc[beaten] + 0.05


def slow_errors(w):
    """Each weight's standardised residual, one column at a time, short side first."""
    if len(w) > w.shape[1]:
        return [a.T for a in slow_errors(w.T)]
    error, variance = np.zeros(w.shape), np.zeros(w.shape)
    ridge = detectors.RIDGE * np.trace(w @ w.T) / len(w)
    for j in range(w.shape[1]):
        rest = np.delete(w, j, axis=1)
        gram = rest @ rest.T + ridge * np.eye(len(w))
        for i in range(len(w)):
            others = np.delete(np.arange(len(w)), i)
            fitted = np.linalg.solve(gram[np.ix_(others, others)], gram[others, i])
            error[i, j] = w[i, j] - fitted @ w[others, j]
            variance[i, j] = (gram[i, i] - gram[i, others] @ fitted) / w.shape[1]
    return error, variance


def slow_odds(w, error, variance, fill):
    """Expectation and maximisation by the densities themselves."""
    c, share = 1.0, np.full(w.shape[1], detectors.SHARE)
    for _ in range(detectors.ROUNDS):
        erased = share * norm.pdf(w, 0, fill)
        kept = (1 - share) * norm.pdf(error, 0, np.sqrt(c * variance))
        p = erased / (erased + kept)
        c = ((1 - p) * error**2 / variance).sum() / (1 - p).sum()
        share = (p.sum(0) + detectors.FAITH * p.mean()) / (len(w) + detectors.FAITH)
        share = np.clip(share * min(1, detectors.SHARE / share.mean()), 1e-6, 0.5)
    return np.log(erased / kept)


@pytest.mark.parametrize("shape, error_of", [((9, 31), 1e-4), ((31, 9), 1e-4), ((12, 12), 1e-2)])
def test_scores_are_those_of_slow_versions(shape, error_of):
    """To single precision, times the condition of what is inverted."""
    make = rng(11)
    weights = make.normal(size=(shape[0], 3)) @ make.normal(size=(3, shape[1]))
    weights = 0.01 * (weights + 0.7 * make.normal(size=shape)) * make.uniform(0.5, 2, (shape[0], 1))
    weights[:, :2] *= 0.05  # columns with many small ones
    w = weights / np.sqrt((weights**2).mean(1, keepdims=True))
    error, variance = slow_errors(w)
    slow = {
        "smallest": -np.abs(weights),
        "row": -np.abs(w),
        "column": slow_odds(w, w, np.ones((len(w), 1)), detectors.QUIET),
        "residual": np.abs(error) / np.sqrt(variance),
        "combined": slow_odds(w, error, variance, detectors.LOUD),
    }
    assert list(slow) == list(SCORES)
    for name, wanted in slow.items():
        found = SCORES[name](weights.astype(np.float32))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=0, atol=error_of * np.abs(wanted).max())


@pytest.mark.parametrize("quiet", [0, 2, 30])
def test_shares_are_held_to_what_an_attacker_expects(quiet):
    """No column, few, and half of them erased whole: shares below, at and above every bound."""
    weights = rng(12).normal(size=(200, 60))
    weights[:, :quiet] *= 0.1
    w = weights / np.sqrt((weights**2).mean(1, keepdims=True))
    wanted = slow_odds(w, w, np.ones((200, 1)), detectors.QUIET)
    found = detectors.column(weights.astype(np.float32))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", SCORES)
def test_a_layer_or_a_row_of_zeros_blinds_no_detector(name):
    weights, _, truth = layer((40, 120))
    truth[3] = 0
    layers = {"a": truth, "nothing": np.zeros((20, 30), np.float32)}
    with np.errstate(all="raise", under="ignore"):
        assert all(np.isfinite(SCORES[name](w)).all() for w in layers.values())
    found = detectors.detect(layers, f"{name}-0.05")
    total = sum(mask.sum() for mask in found.values())
    assert total >= round(0.05 * (truth.size + 600))
    found = detectors.detect({"a": truth}, f"{name}-0.0001")
    assert not found["a"].any()  # half a weight, rounded


def test_as_many_zeros_as_chance_explains_are_natural():
    half = np.linspace(1e-6, 1e-3, 4000).astype(np.float16).reshape(40, 100)
    bound = detectors.natural_zeros(half)
    size = np.sort(np.abs(half.astype(np.float64)), axis=None)
    dense = 0.05 * len(size) / np.quantile(size, 0.05)  # weights per unit, near zero
    mean = dense * 2.0**-24 / 2  # half a step rounds to zero
    assert poisson.sf(bound, mean) <= 1e-4 < poisson.sf(bound - 1, mean) and bound > 2
    for n, told in ((bound, 0), (bound + 1, bound + 1)):
        some = np.concatenate([half.ravel(), np.zeros(n, np.float16)])[None]
        bound_of_some = detectors.natural_zeros(some)
        assert bound_of_some == bound and detectors.zeros(some).sum() == told
    assert detectors.natural_zeros(np.zeros((2, 2), np.float16)) == 0
    assert detectors.zeros(np.zeros((1, 1), np.float16)).all()
    assert detectors.zeros(np.zeros((0, 5), np.float16)).shape == (0, 5)


def test_detect_takes_each_layers_own_zeros():
    layers = {"pruned": layer(seed=1)[0], "whole": layer(seed=2)[2]}
    found = detectors.detect(layers, "zeros")
    np.testing.assert_array_equal(found["pruned"], layers["pruned"] == 0)
    assert found["pruned"].any() and not found["whole"].any() and list(found) == list(layers)


def test_detect_takes_the_share_of_all_layers_together():
    large, small = layer(seed=1)[2], 0.01 * layer(seed=2)[2]
    found = detectors.detect({"a": large, "b": small}, "smallest-0.1")
    total = large.size + small.size
    assert sum(m.sum() for m in found.values()) == pytest.approx(0.1 * total, abs=2)
    everything = np.sort(np.abs(np.concatenate([large.ravel(), small.ravel()])))
    bound = everything[round(0.1 * total) - 1]
    np.testing.assert_array_equal(found["b"], np.abs(small) <= bound)
    assert found["b"].sum() > 10 * found["a"].sum()
    by_row = detectors.detect({"a": large, "b": small}, "row-0.1")
    assert by_row["a"].sum() == pytest.approx(by_row["b"].sum(), rel=0.3)


def test_natural_zeros_are_told_from_pruned_ones():
    weights, mask, truth = layer((400, 800))
    np.testing.assert_array_equal(detectors.zeros(weights), mask)
    few = truth.copy()
    few[0, 0] = few[5, 7] = 0
    assert detectors.zeros(few).sum() == 2, "single precision has no natural zeros"
    half = (0.001 * truth).astype(np.float16)
    underflown = (half == 0).sum()
    assert underflown > 20 and not detectors.zeros(half).any()
    pruned = np.where(mask, 0, half).astype(np.float16)
    np.testing.assert_array_equal(detectors.zeros(pruned), mask | (half == 0))
    assert not detectors.zeros(np.zeros((0, 5), np.float32)).any()


def test_natural_zeros_are_as_many_as_rounding_makes():
    size = rng(4).normal(size=2_000_000) * 1e-4
    assert 0.8 < (size.astype(np.float16) == 0).sum() / (2e6 * 6e-8 * norm.pdf(0) / 1e-4) < 1.2
    bound = detectors.natural_zeros(size.astype(np.float16))
    assert (size.astype(np.float16) == 0).sum() < bound < 2 * (size.astype(np.float16) == 0).sum()


# Detectability


def test_equation_7():
    """Against counting: of the weights in the interval, how many were erased."""
    draw, n, density = rng(5), 1_000_000, 0.03
    erased = draw.random(n) < density
    weights = draw.normal(size=n) * np.where(erased, 0.2, 1.0)
    inside = np.abs(weights) < 0.1
    told = detectability.posterior(density, 0.2, 1.0, 0.1)
    assert told == pytest.approx(erased[inside].mean(), rel=0.03)
    assert detectability.posterior(density, 1.0, 1.0, 0.1) == pytest.approx(density)


def test_roc_against_scipy_and_counting():
    draw = rng(6)
    scores, erased = draw.integers(0, 40, 900).astype(float), draw.random(900) < 0.1
    scores[erased] += draw.integers(0, 15, erased.sum())
    told = detectability.roc(scores, erased)
    u = mannwhitneyu(scores[erased], scores[~erased]).statistic
    assert told["auc"] == pytest.approx(u / erased.sum() / (~erased).sum())
    for allowed, rate in zip(np.linspace(0, 1, detectability.POINTS), told["curve"]):
        best = 0.0
        for threshold in [-np.inf, *np.unique(scores)]:
            if (scores[~erased] > threshold).mean() <= allowed + 1e-9:
                best = max(best, (scores[erased] > threshold).mean())
        assert rate == pytest.approx(best), allowed
    assert told["tpr"] == told["curve"][1]
    assert np.isnan(detectability.roc(scores, np.zeros(900, bool))["auc"])


def test_normality():
    draw = rng(7)
    told = detectability.normality(draw.normal(size=(300, 300)) * 0.1, draw)
    assert told["spread"] == pytest.approx(0.1, rel=0.02) and abs(told["kurtosis"]) < 0.1
    assert told["ks"] < 0.01 and told["narrow"] == pytest.approx(1, abs=0.02)
    heavy = detectability.normality(draw.laplace(size=(300, 300)), draw)
    assert heavy["kurtosis"] == pytest.approx(3, abs=0.3) and heavy["p"] < 1e-10
    assert heavy["ks"] > 0.05 and heavy["narrow"] > 1.2
    with pytest.raises(ValueError, match="all 10 kept weights are 0.5"):
        detectability.normality(np.full(10, 0.5), draw)
