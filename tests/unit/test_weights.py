"""Magnitudes from the layer, the oracles and 4-bit rounding against slow versions."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from regrowth.attack.oracles import ORACLES, oracle
from regrowth.attack.quantise import NF4, NF4_BLOCK, nf4, quant4
from regrowth.attack.revival import magnitudes
from regrowth.draw.pipeline import load_pipeline, round_weights
from regrowth.models import disk
from scipy.stats import norm

MODEL = Path(__file__).parents[2] / "resources" / "demo" / "model"


def random(shape=(6, 10), share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(np.float32), rng.random(shape) < share


def pruned(shape=(6, 10), share=0.3, seed=0):
    """Released weights, where they were pruned, and what stood there."""
    weights, missing = random(shape, share, seed)
    return np.where(missing, 0, weights).astype(np.float32), missing, weights[missing]


def rng(seed=0):
    return np.random.default_rng(seed)


def nearest(weights, block):
    """NF4 by the book, one weight at a time."""
    flat, values = [float(w) for w in weights.ravel()], []
    for at in range(0, len(flat), block):
        largest = max(abs(w) for w in flat[at : at + block])
        for w in flat[at : at + block]:
            values.append(min((level * largest for level in NF4), key=lambda v: abs(w - v)))
    return np.array(values).reshape(weights.shape)


# magnitudes


def test_row_magnitudes_draw_row_by_row_from_one_stream():
    """What was drawn before there was "layer-sample" is drawn still."""
    weights, missing = random()
    stream = rng(3)
    wanted = [stream.choice(np.abs(w[~m]), m.sum()) for w, m in zip(weights, missing) if m.any()]
    np.testing.assert_array_equal(
        magnitudes(weights, missing, "sample", rng(3)), np.concatenate(wanted)
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_layer_sample_draws_from_the_whole_layer_and_nothing_pruned(dtype):
    scale = np.array([1, 10, 100])[:, None]  # a magnitude tells which row it was drawn from
    weights = (rng().uniform(0.5, 1, (3, 400)) * scale).astype(dtype)
    weights[:, ::2] *= -1
    missing = rng(1).random(weights.shape) < 0.3
    weights[missing] = 1000  # what was pruned is never drawn
    drawn = magnitudes(weights, missing, "layer-sample", rng())
    assert drawn.shape == (missing.sum(),) and np.isin(drawn, np.abs(weights[~missing])).all()
    row = np.searchsorted([5, 50], drawn)
    for i, n in enumerate(missing.sum(axis=1)):
        here = np.bincount(row[np.repeat(range(3), missing.sum(axis=1)) == i], minlength=3) / n
        np.testing.assert_allclose(here, (~missing).sum(axis=1) / (~missing).sum(), atol=0.15)
    own = magnitudes(weights, missing, "sample", rng())
    np.testing.assert_array_equal(np.searchsorted([5, 50], own), np.nonzero(missing)[0])


def test_layer_sample_repeats_by_seed_and_survives_an_emptied_row():
    weights, missing = random()
    missing[2] = True
    one, same, other = (magnitudes(weights, missing, "layer-sample", rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any() and np.isin(one, np.abs(weights[~missing])).all()
    assert magnitudes(weights, np.zeros_like(missing), "layer-sample", rng()).shape == (0,)
    with pytest.raises(ValueError, match="nothing is unpruned"):
        magnitudes(weights, np.ones_like(missing), "layer-sample", rng())
    with pytest.raises(
        ValueError, match="'layer'; known: max, mean, sample, normal-sample, layer-s"
    ):
        magnitudes(weights, missing, "layer", rng())


# oracles


@pytest.mark.parametrize("kind", ["sample", "mean", "max"])
def test_oracle_of_signs_is_the_pretrained_sign_times_the_magnitude(kind):
    weights, missing, truth = pruned()
    truth[:2] = 0
    got = oracle(truth, weights, missing, kind, rng(5))
    size = magnitudes(weights, missing, kind, rng(5))
    wanted = [math.copysign(m, t) if t else 0 for m, t in zip(size, truth)]
    np.testing.assert_array_equal(got, np.array(wanted, np.float32))
    assert got.dtype == np.float32 and (got[:2] == 0).all()


def test_oracle_of_magnitudes_keeps_them_and_draws_signs_from_the_row():
    weights, missing, truth = pruned((4, 4000))
    kept = np.abs(weights)
    kept[0] *= -1  # row 0 keeps negative weights only, row 1 positive ones, row 2 a tenth negative
    kept[2, ::10] *= -1
    truth = np.abs(truth)
    got = oracle(truth, kept, missing, "pretrained", rng())
    np.testing.assert_array_equal(np.abs(got), truth)
    rows = np.nonzero(missing)[0]
    negative = [(got[rows == i] < 0).mean() for i in range(4)]
    assert negative[0] == 1 and negative[1] == 0 and negative[3] == 0
    assert negative[2] == pytest.approx(0.1, abs=0.03)


def test_oracle_of_magnitudes_knows_nothing_of_the_signs():
    weights, missing, truth = pruned()
    np.testing.assert_array_equal(
        oracle(truth, weights, missing, "pretrained", rng()),
        oracle(-truth, weights, missing, "pretrained", rng()),
    )


def test_sampled_signs_and_sampled_magnitudes_are_one_draw():
    weights, missing, truth = pruned((5, 30))
    signs = np.sign(oracle(truth, weights, missing, "pretrained", rng(4)))
    sizes = np.abs(oracle(truth, weights, missing, "sample", rng(4)))
    for row, sign, size in zip(np.nonzero(missing)[0], signs, sizes):
        assert sign * size in weights[row]


@pytest.mark.parametrize("kind", ORACLES)
def test_oracles_repeat_by_seed_and_touch_no_input(kind):
    weights, missing, truth = pruned((20, 40))
    before = [a.copy() for a in (truth, weights, missing)]
    one, same, other = (oracle(truth, weights, missing, kind, rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any() == (kind in ("pretrained", "sample"))
    for array, was in zip((truth, weights, missing), before):
        np.testing.assert_array_equal(array, was)


@pytest.mark.parametrize("kind", ORACLES)
def test_oracles_read_the_unpruned_weights_only(kind):
    """The released model may have a defence: what fills the erased positions is no matter."""
    weights, missing, truth = pruned()
    filled = np.where(missing, -77, weights).astype(np.float32)
    np.testing.assert_array_equal(
        oracle(truth, filled, missing, kind, rng()), oracle(truth, weights, missing, kind, rng())
    )


@pytest.mark.parametrize("kind", ORACLES)
def test_oracles_at_the_edges(kind):
    weights, missing, _ = pruned()
    weights[1] = 0  # a dead neuron still gives every missing position a sign
    missing[2] = True
    truth = np.ones(missing.sum(), np.float16)
    got = oracle(truth, weights.astype(np.float16), missing, kind, rng())
    assert got.dtype == np.float32 and (np.abs(got) == 1).all() == (kind == "pretrained")
    nothing = oracle(truth[:0], weights, np.zeros_like(missing), kind, rng())
    assert nothing.shape == (0,) and nothing.dtype == np.float32
    with pytest.raises(ValueError, match="nothing is unpruned"):
        oracle(weights.ravel(), weights, np.ones_like(missing), kind, rng())


def test_an_unknown_oracle_is_refused():
    weights, missing, truth = pruned()
    with pytest.raises(ValueError, match="'layer-sample'; known: pretrained, sample, mean, max"):
        oracle(truth, weights, missing, "layer-sample", rng())


# Rounding to 4 bits


def test_nf4_levels_are_the_quantiles_of_the_normal_distribution():
    """As QLoRA builds them: 8 quantiles above zero, 7 below, between .5 and this offset."""
    offset = 1 - (1 / 32 + 1 / 30) / 2
    above = norm.ppf(np.linspace(offset, 0.5, 9)[:-1])
    below = -norm.ppf(np.linspace(offset, 0.5, 8)[:-1])
    levels = np.sort([*above, 0, *below]) / above.max()
    np.testing.assert_allclose(NF4, levels, atol=1e-6)
    assert (np.diff(NF4) > 0).all() and NF4[7] == 0


@pytest.mark.parametrize("shape", [(8, 64), (5, 7), (1, 1), (3, 43), (3, 64), (2, 97)])
@pytest.mark.parametrize("block", [64, 16])
def test_nf4_takes_the_nearest_level_of_its_block(shape, block):
    weights, missing = random(shape, seed=2)
    weights[missing] = 0
    back = nf4(torch.from_numpy(weights), block)
    assert back.dtype == torch.float32
    np.testing.assert_allclose(back, nearest(weights, block), rtol=1e-6)


@given(st.integers(1, 9), st.integers(1, 90), st.integers(0, 9999), st.floats(1e-6, 1e6))
def test_rounding_revives_nothing_and_errs_by_half_a_gap(rows, columns, seed, scale):
    weights, missing = random((rows, columns), seed=seed)
    weights = torch.from_numpy(np.where(missing, 0, weights * np.float32(scale)))
    largest = torch.stack([chunk.abs().max() for chunk in weights.flatten().split(NF4_BLOCK)])
    largest = largest.repeat_interleave(NF4_BLOCK)[: weights.numel()].view(weights.shape)
    gaps = {nf4: largest * np.diff(NF4).max(), quant4: weights.abs().amax(1, keepdim=True) / 7}
    for rounded, gap in gaps.items():
        back = rounded(weights)
        assert (back[weights == 0] == 0).all() and (weights * back >= 0).all()
        assert ((back - weights).abs() <= gap / 2 * (1 + 1e-5)).all()


@given(st.integers(1, 9), st.integers(1, 90), st.integers(0, 9999))
def test_rounding_twice_is_rounding_once(rows, columns, seed):
    weights = torch.from_numpy(random((rows, columns), seed=seed)[0])
    torch.testing.assert_close(nf4(nf4(weights)), nf4(weights), rtol=0, atol=0)
    torch.testing.assert_close(quant4(quant4(weights)), quant4(weights))


@pytest.mark.parametrize("rounded", [quant4, nf4])
def test_rounding_zeros_and_half_precision(rounded):
    assert (rounded(torch.zeros(3, 5)) == 0).all()
    half = torch.from_numpy(random((4, 40))[0]).half()
    assert rounded(half).dtype == torch.float32
    assert (rounded(half) == rounded(half.float())).all()


def test_quant4_by_hand():
    weights = torch.tensor([[0.7, -0.34, 0.0, 0.06], [0.0, 0.0, 0.0, 0.0]])
    wanted = torch.tensor([[0.7, -0.3, 0.0, 0.1], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(quant4(weights), wanted)


def test_every_linear_weight_of_the_unet_is_rounded_and_nothing_else():
    pipe = load_pipeline(MODEL, "float32", "cpu")
    before = {name: p.clone() for name, p in pipe.unet.named_parameters()}
    round_weights(pipe, disk.matrices(MODEL), quant4)
    linear = 0
    for name, p in pipe.unet.named_parameters():
        is_linear = p.ndim == 2 and name.endswith(".weight")
        levels = max(len(row.unique()) for row in p) if is_linear else 0
        assert (levels <= 15) if is_linear else torch.equal(p, before[name]), name
        linear += is_linear
    assert linear == len(disk.matrices(MODEL)) > 100
