"""The blind attack, and what known rows beside a layer tell, against a slow version."""

import numpy as np
import pytest
from regrowth.attack import blind
from regrowth.complete.engine import complete_all
from scipy.stats import norm


def neurons(seed=0, out=12, more=10, n=160, share=0.15):
    """A layer and what its neurons read: both from a few causes. The largest of some columns are
    gone, as a pruning takes them."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(4, n))
    both = rng.normal(size=(out + more, 4)) @ causes + 0.5 * rng.normal(size=(out + more, n))
    weights, known = both[:out], both[out:]
    pull = np.abs(weights) * np.exp(rng.normal(size=n))
    missing = pull >= np.quantile(pull, 1 - share)
    return weights, missing, known


def slow(weights, missing, known, ridge, weight, sweeps=2, outer=2, inner=6):
    """Column by column, with every conditional mean solved outright."""
    d, n = weights.shape
    seen, gone = (~missing).sum(0), missing.sum(0) / d
    power = np.square(np.where(missing, 0, weights)).sum(0)
    rms = np.sqrt(power / seen)
    z = np.where(gone > 0, -norm.ppf(np.where(gone > 0, gone, 1) / 2), 0)
    cut = np.where(gone > 0, 2 * z * norm.pdf(z) / (1 - gone), 0)
    size = np.where(gone > 0, 2 * norm.pdf(z) / np.where(gone > 0, gone, 1), 0)
    sigma = rms / np.sqrt(1 - cut)
    beside = weight * known / np.sqrt(np.square(known).mean(0))
    x = np.concatenate([np.where(missing, 0, weights) / sigma, beside])
    lost = np.concatenate([missing, np.zeros(known.shape, bool)])
    a, rows = np.broadcast_to(size, missing.shape)[missing], np.nonzero(missing)[0]

    def filled(m):
        y = x.copy()
        y[lost] = m
        return y

    def precision(m, spread):
        gram = filled(m) @ filled(m).T
        np.add.at(gram, (rows, rows), spread)
        return n * np.linalg.inv(gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram)))

    m = np.zeros(len(a))
    for _ in range(sweeps):
        k, y = precision(m, 0), filled(m)
        for j in np.nonzero(missing.any(0))[0]:
            at, rest = lost[:, j], ~lost[:, j]
            y[at, j] = -np.linalg.solve(k[np.ix_(at, at)], k[np.ix_(at, rest)] @ x[rest, j])
        m = y[lost]
    m = np.clip(m, -a, a)
    for _ in range(outer):
        k = precision(m, a**2 - m**2)
        own = np.diag(k)[rows]
        for _ in range(inner):
            m = 0.5 * m + 0.5 * a * np.tanh(a * (own * m - (k @ filled(m))[lost]))
    return np.tanh(a * (own * m - (k @ filled(m))[lost]))


@pytest.mark.parametrize("seed", range(3))
def test_known_rows_tell_what_the_slow_version_says(seed):
    weights, missing, known = neurons(seed)
    done = complete_all(
        {"a": (weights, missing)},
        "gauss-spin",
        beside={"a": known},
        ridge=0.25,
        weight=0.5,
        tolerance=1e-8,
        limit=500,
    )["a"]
    wanted = slow(weights, missing, known, 0.25, 0.5)
    np.testing.assert_allclose(done.sure, wanted, atol=2e-3)
    assert done.sure.shape == done.values.shape and (np.abs(done.sure) <= 1).all()
    np.testing.assert_array_equal(np.sign(done.sure), np.sign(done.values))


def test_known_rows_bring_signs_back():
    right = []
    for seed in range(6):
        weights, missing, known = neurons(seed)
        lost = weights[missing]
        for beside in (None, {"a": known}):
            done = complete_all({"a": (weights, missing)}, "gauss-spin", beside=beside)["a"]
            right.append((np.sign(done.values) == np.sign(lost)).mean())
    alone, told = np.mean(right[::2]), np.mean(right[1::2])
    assert alone < told - 0.02 and told > 0.9


def test_rows_beside_a_layer_that_is_turned_are_left_out():
    weights, missing, known = neurons()
    layers = {"tall": (weights.T.copy(), missing.T.copy())}
    with_, without = (
        complete_all(layers, "gauss-spin", beside=beside)["tall"].values
        for beside in ({"tall": known}, None)
    )
    np.testing.assert_array_equal(with_, without)


def pruned(seed=0):
    """The same in single precision, as a release has it, beside a layer that is whole."""
    weights, missing, known = neurons(seed)
    left = np.where(missing, 0, weights).astype(np.float32)
    whole = weights.astype(np.float32), np.zeros_like(missing)
    return {"a": (left, missing), "b": whole}, {"a": known}, weights[missing]


def test_every_weight_gets_its_rows_largest_by_how_sure_its_sign_is():
    layers, known, _ = pruned()
    left, missing = layers["a"]
    made = blind.blind(layers, known, "cpu")
    ridge, weight = blind.chosen(layers, known, "cpu")
    done = complete_all(layers, "gauss-spin", beside=known, ridge=ridge, weight=weight)["a"]
    largest = np.abs(left).max(axis=1)[np.nonzero(missing)[0]]
    np.testing.assert_allclose(made["a"].values, blind.SCALE * done.sure * largest, rtol=1e-6)
    assert made["b"].values.shape == (0,) and made["a"].values.dtype == np.float32
    assert made["a"].told() == done.told()


def test_the_setting_is_the_one_that_tells_hidden_signs_best(monkeypatch):
    monkeypatch.setattr(blind, "RIDGES", (0.1, 0.5))
    monkeypatch.setattr(blind, "WEIGHTS", (0.0, 0.3))
    layers, known, _ = pruned(1)
    left, missing = layers["a"]
    hidden = blind.hide(left, missing)
    gone = missing | hidden
    bits = {}
    for ridge in blind.RIDGES:
        for weight in blind.WEIGHTS:
            more = {"beside": known, "weight": weight} if weight else {}
            # what is hidden is not there to be looked at
            shut = np.where(gone, 0, left)
            done = complete_all({"a": (shut, gone)}, "gauss-spin", ridge=ridge, **more)["a"]
            right = [
                s * np.sign(left[i, j])
                for s, i, j in zip(done.sure, *np.nonzero(gone))
                if hidden[i, j]
            ]
            bits[ridge, weight] = np.mean([np.log2(1 + np.clip(r, -0.999, 0.999)) for r in right])
    assert len(set(bits.values())) == 4
    assert blind.chosen(layers, known, "cpu") == max(bits, key=bits.get)


def test_rows_beside_a_layer_count_where_they_are_known_and_tell_of_it():
    layers, known, _ = pruned()
    assert blind.chosen(layers, known, "cpu")[1] > 0
    assert blind.chosen(layers, {}, "cpu")[1] == 0


def test_hidden_is_what_pruning_would_have_taken_next():
    weights, missing, _ = neurons(2, n=400)
    hidden = blind.hide(np.where(missing, 0, weights), missing)
    assert not (hidden & missing).any()
    for j in range(weights.shape[1]):
        size = np.abs(weights[:, j])
        taken, left = size[hidden[:, j]], size[~hidden[:, j] & ~missing[:, j]]
        assert not len(taken) or taken.min() >= left.max()
        least = min(blind.HIDDEN * missing[:, j].sum(), (~missing[:, j]).sum() - 1)
        assert abs(hidden[:, j].sum() - least) < 1
    # a column's last weight stays, and one that has none is left alone
    narrow = np.array([[False, True, False], [True, True, False]] + [[True, True, False]] * 6)
    assert not blind.hide(np.ones((8, 3)), narrow).any()


def test_where_nothing_can_be_hidden_the_middle_is_taken():
    layers, known, _ = pruned()
    left, missing = layers["a"]
    one = np.zeros_like(missing)
    one[tuple(np.argwhere(missing)[0])] = True
    assert blind.chosen({"a": (left, one)}, known, "cpu") == (0.5, 0.2)
    assert blind.blind({"a": (left, one)}, known, "cpu")["a"].values.shape == (1,)


def test_where_nothing_but_zeros_is_left_nothing_is_put_back():
    missing = np.zeros((6, 8), bool)
    missing[:4] = True
    layers = {"a": (np.zeros((6, 8), np.float32), missing)}
    made = blind.blind(layers, {}, "cpu")["a"]
    assert not made.values.any() and not made.converged


def test_bits_are_those_of_a_forecast():
    weights = np.array([2.0, -0.1, 3.0, -4.0, 0.0], np.float32)
    bits = blind.likelihood(np.array([0, 0, 0.5, 0.5, 0.9]), weights)
    np.testing.assert_allclose(bits, [0, 0, np.log2(1.5), -1, 0], atol=1e-12)
    assert np.isfinite(blind.likelihood(np.array([1.0, -1.0]), np.array([-1.0, -1.0]))).all()


def test_a_layer_is_fed_by_the_values_of_its_gated_unit():
    name = "mid_block.attentions.0.transformer_blocks.0.ff.net.2.weight"
    assert blind.feeder(name) == name.replace("net.2", "net.0.proj")
    assert blind.feeder("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight") is None
    fed = np.arange(12.0).reshape(6, 2)  # three neurons: three rows of values, three of gates
    np.testing.assert_array_equal(blind.beside(fed, 3), fed[:3].T)
