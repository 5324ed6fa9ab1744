"""Attackers with models of their own: whom they train on what, and what they tell."""

import numpy as np
import pandas as pd
import pytest
import torch
from regrowth.classify import apollo, gaps, neighbours, shadows, study, u_lira
from regrowth.classify import settings as said
from regrowth.classify import split as splits
from regrowth.classify.betrayed import betrayed
from regrowth.classify.study import Cell
from scipy.special import softmax
from scipy.stats import norm
from sklearn.svm import SVC
from test_classifiers_study import an_outcome, raw
from torch import nn
from torch.nn import functional as F

LABELS = np.tile(np.arange(3), 40)


@pytest.fixture
def before() -> np.ndarray:
    return splits.split(LABELS, 90, 0, (None, None), 0.2)


# Who learns what


def test_every_picture_is_in_half_of_the_shadows_and_no_test_in_any(before):
    halves = np.stack([shadows.half(before, 0, n) for n in range(6)])
    pool = np.isin(before, ("retain", "validation"))
    assert (halves[:, pool].sum(0) == 3).all() and not halves[:, ~pool].any()
    assert (halves[0] ^ halves[1] == pool).all()
    assert (halves[0] != halves[2]).any() and (shadows.half(before, 1, 0) != halves[0]).any()


@pytest.mark.parametrize("of", ["samples", "classes"])
def test_a_shadow_forgets_what_is_asked_after_and_what_no_model_saw(before, of):
    if of == "samples":
        after = splits.forget_samples(before, 20, "some", 0)
        unseen = before == "validation"
    else:
        after = splits.forget_classes(before, LABELS, [1])
        unseen = (before == "validation") & (LABELS == 1)
    members, others = shadows.candidates(before, after)
    assert (members == (after == "forget")).all() and (others == unseen).all() and others.any()
    made = shadows.parts(before, after, 0, 3)
    half = shadows.half(before, 0, 3)
    assert ((made == "unused") == ~half).all()
    assert ((made == "forget") == (half & (members | others))).all()
    whole = shadows.parts(before, before, 0, 3)
    assert set(whole) == {"unused", "retain"} and ((whole == "retain") == half).all()


def test_a_shadow_is_a_split_whose_original_has_its_number():
    told = study.load(raw(shadows={"unlearners": ["retrain"], "number": 4}, seeds={"train": 7}))
    (cell, _) = study.shadowed(told)
    assert study.original(told, "0").seed == "7"
    made = study.shadows_of(told, cell)
    assert [one.split for one in made] == [f"0-shadow{n}" for n in range(4)]
    assert [study.original(told, one.split).seed for one in made] == ["0", "1", "2", "3"]
    assert not set(study.cells(told)) & set(made)


def test_shadows_want_pictures_that_no_model_saw():
    nothing = {"kind": "idx", "folder": "there", "validation": 0}
    with pytest.raises(study.Mistaken, match="nothing is left that no model saw"):
        study.load(raw(data=nothing, shadows={"unlearners": ["retrain"]}))


# U-LiRA


def test_a_confidence_is_the_log_of_the_odds():
    logits = np.random.default_rng(0).normal(size=(2, 5, 3))
    labels = np.array([0, 2, 1, 1, 0])
    p = softmax(logits, -1)[:, np.arange(5), labels]
    np.testing.assert_allclose(u_lira.confidence(logits, labels), np.log(p / (1 - p)))


def test_a_ratio_is_that_of_two_normal_densities():
    """Picture by picture; each kind's variance is that of all pictures about their own means."""
    rng = np.random.default_rng(1)
    theirs, own = rng.normal(size=(6, 4)), rng.normal(size=4)
    inside = np.stack([rng.permutation([True, True, True, False, False, False]) for _ in range(4)])
    inside = inside.T
    found = u_lira.log_ratio(own, theirs, inside)
    spreads = []
    for some in (inside, ~inside):
        squares = [((theirs[s, i] - theirs[s, i].mean()) ** 2).sum() for i, s in enumerate(some.T)]
        spreads.append((sum(squares) / (4 * 2)) ** 0.5)
    for i in range(4):
        known, unknown = theirs[inside[:, i], i].mean(), theirs[~inside[:, i], i].mean()
        wanted = norm.logpdf(own[i], known, spreads[0]) - norm.logpdf(own[i], unknown, spreads[1])
        assert found[i] == pytest.approx(wanted)


def test_its_area_is_what_two_normals_allow():
    """Confidences one deviation apart: Φ(1 / √2), to three standard errors of 2,000 of each."""
    rng, n = np.random.default_rng(2), 2000
    inside = np.zeros((40, 2 * n), bool)
    inside[::2] = True
    theirs = rng.normal(size=(40, 2 * n)) + inside
    member = np.arange(2 * n) < n
    ratio = u_lira.log_ratio(rng.normal(size=2 * n) + member, theirs, inside)
    frame = pd.DataFrame({"picture": range(2 * n), "member": member, "ratio": ratio})
    frame = frame.assign(under=member, over=False)
    table = betrayed({Cell("0", "some", "ft", "0"): frame}).set_index("by")
    lira = table.loc["u-lira"]
    assert lira["auc"] == pytest.approx(norm.cdf(0.5**0.5), abs=3 * 0.008)
    assert 0.02 < lira["high"] - lira["low"] < 0.045 and lira["low"] < lira["auc"] < lira["high"]
    assert lira["tpr"] == pytest.approx(norm.cdf(0.5), abs=0.05)
    assert table.loc["apollo", ["tpr", "fpr"]].tolist() == [1, 0]
    assert (lira["n_forgotten"], lira["n_unseen"], lira["runs"]) == (n, n, 1)


# Apollo


class Linear(nn.Module):
    """Two classes on four values: a half plane."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = torch.tensor(weight), bias

    def forward(self, x):
        score = x.flatten(1) @ self.weight + self.bias
        return torch.stack([score, -score], 1)


def test_many_walk_as_one_does():
    """Against a walk written out, a picture at a time."""
    rng = np.random.default_rng(3)
    nets = [Linear(rng.normal(size=4).astype("f"), float(rng.normal())) for _ in range(5)]
    images = torch.from_numpy(rng.random((7, 1, 2, 2)).astype("f"))
    labels = torch.from_numpy(rng.integers(2, size=7))
    inside = torch.from_numpy(rng.random((4, 7)) < 0.5)
    inside[0], inside[1] = True, False
    told = said.Apollo(steps=6, radius=0.1, under=0.5, over=0.5).model_dump()
    found = apollo.apollo(nets[4], nets[:4], images, labels, inside, told)
    for i in range(7):
        for name, sign in (("under", 1), ("over", -1)):
            x, decided = images[i : i + 1], False
            for step in range(1, 7):
                x = x.detach().requires_grad_(True)
                loss = [F.cross_entropy(net(x), labels[i : i + 1]) for net in nets[:4]]
                own = [one for one, known in zip(loss, inside[:, i]) if known]
                rest = [one for one, known in zip(loss, inside[:, i]) if not known]
                (sign * (sum(own) / len(own) - sum(rest) / len(rest))).backward()
                off = x.detach() - 0.1 * x.grad / x.grad.norm() - images[i : i + 1]
                off *= min(max(float(off.norm()), 0.1 * (step - 1)), 0.1 * step) / off.norm()
                x = (images[i : i + 1] + off).clamp(0, 1)
                p = [softmax(net(x).detach().numpy(), 1)[0, labels[i]] for net in nets[:4]]
                sure = np.mean([one for one, known in zip(p, inside[:, i]) if not known])
                known = bool(nets[4](x).argmax() == labels[i])
                if name == "under" and sure < 0.5:
                    decided = known
                    break
                if name == "over" and sure > 0.5:
                    decided = not known  # the last such step stands
            assert found[name][i] == decided


def test_it_tells_a_model_that_still_knows_from_one_that_never_did():
    """Those that learnt the picture hold it further out than those that did not."""
    knows, never = (Linear([1.0, 0, 0, 0], bias) for bias in (-0.3, -0.7))
    images, labels = torch.full((1, 1, 2, 2), 0.9), torch.tensor([0])
    inside = torch.tensor([[True], [False]])
    told = said.Apollo(steps=6, radius=0.1).model_dump()
    for target, betrays in ((knows, True), (never, False)):
        found = apollo.apollo(target, [knows, never], images, labels, inside, told)
        assert found["under"][0] == betrays and not found["over"][0]


def test_a_point_is_put_between_two_spheres():
    images, at = torch.zeros(3, 1, 1, 2), torch.tensor([[[[0.3, 0.4]]], [[[3, 4]]], [[[0, 1.5]]]])
    found = apollo.ring(images, at, 1, 2)
    wanted = torch.tensor([[[[0.6, 0.8]]], [[[1.2, 1.6]]], [[[0, 1.5]]]])
    torch.testing.assert_close(found, wanted)


# MIA-NN


def a_class(n: int, away: float, seed: int):
    """Parts, logits and labels: the forgotten class 2 is said to be class 1, or `away` from it."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(3), n)
    logits = rng.normal(size=(3 * n, 3))
    logits[np.arange(3 * n), np.where(labels == 2, 1, labels)] += 3
    logits[labels == 2] += np.array([0, -away, rng.normal()])
    parts = np.where(labels == 2, "forget", "retain").astype(object)
    parts[3 * n // 2 :] = np.where(labels[3 * n // 2 :] == 2, "away", "test")
    return parts, logits, labels


def test_a_class_stands_out_where_it_is_said_to_be_none_that_is_left():
    """Of 100 tests of either. As class 1 is, it is told by chance: half, to three standard
    errors."""
    hidden, plain = (neighbours.standing_out(*a_class(200, away, 0)) for away in (0.0, 2.0))
    assert set(hidden) == {0, 1} and {len(asked) for asked, _ in hidden.values()} == {200}
    assert abs(hidden[1][1].mean() - 0.5) < 3 * (0.25 / 200) ** 0.5
    assert hidden[0][1].mean() > 0.9 and plain[1][1].mean() > 0.7


def test_a_discriminator_sees_the_classes_that_are_left_alone():
    """Written out for class 1; neither the forgotten class's output nor one of its own counts."""
    parts, logits, labels = a_class(60, 1.0, 1)
    asked, right = neighbours.standing_out(parts, logits, labels)[1]
    assert sorted(asked) == list(np.flatnonzero(np.isin(parts, ("away", "test")) & (labels > 0)))
    features = softmax(logits[:, :2], 1)
    gone, other = (parts == "forget"), (parts == "retain") & (labels == 1)
    some = np.concatenate([features[gone], features[other]])
    told = SVC(C=3.0, gamma="auto").fit(some, [1] * gone.sum() + [0] * other.sum())
    wanted = told.predict(features[asked]) == (labels[asked] == 2)
    np.testing.assert_array_equal(right, wanted)
    wide = np.concatenate([logits, np.full((len(logits), 1), 9.0)], 1)
    wide[:, 2] += 5
    np.testing.assert_array_equal(neighbours.standing_out(parts, wide, labels)[1][1], wanted)


def test_pictures_at_random_have_no_neighbours():
    parts, logits, labels = a_class(60, 1.0, 1)
    parts = np.where(np.isin(parts, ("away", "test")), "test", "retain").astype(object)
    parts[:9] = "forget"
    assert neighbours.standing_out(parts, logits, labels) == {}


def test_the_neighbour_is_whom_the_retrainings_take_the_forgotten_for():
    """By training pictures: not the one at which fewest tests are told apart."""

    def stands(unlearner, seed, first, second):
        one = an_outcome(unlearner, seed, (0, 0.8, 1, 1))
        hits = {n: np.arange(100) < rate for n, rate in enumerate((first, second))}
        taken = np.array([1, 1, 0] if unlearner == "retrain" else [0])
        return gaps.Outcome(one.cell, one.right, one.unseen, 1, hits, taken)

    made = [stands("retrain", 0, 20, 40), stands("retrain", 1, 30, 50), stands("ga", 0, 20, 95)]
    made += [an_outcome("ft", 0, (0, 0.8, 1, 1))]
    table = neighbours.nearest(made, lambda cell: cell.unlearner == "retrain")
    assert table["unlearner"].tolist() == ["retrain", "ga"] and set(table["nearest"]) == {1}
    ga = table.iloc[1]
    assert (ga["rate"], ga["retrain"], ga["n"]) == pytest.approx((0.95, 0.45, 100))
    assert ga["difference"] == pytest.approx(50) and 0.88 < ga["low"] < 0.95 < ga["high"] < 0.98
    del made[2].nearby[1]  # of another split, without tests of that class
    assert set(neighbours.nearest(made, lambda c: c.unlearner == "retrain")["nearest"]) == {0}
    del made[2].nearby[0]
    made[2].nearby[7] = np.ones(3, bool)
    assert neighbours.nearest(made, lambda cell: cell.unlearner == "retrain").empty


def test_discriminators_stand_beside_the_features_in_one_file():
    rows = pd.DataFrame({"picture": [0, 1], "class": [0, 1], "logits": [np.eye(2)[0]] * 2})
    parts = pd.Series(["forget", "away"], index=[0, 1])
    told = {"picture": [0, 1], "feature": ["confidence", f"{gaps.BESIDE}1"], "unseen": [True, True]}
    found = gaps.outcome(Cell("0", "c", "ft", "0"), rows, parts, pd.DataFrame(told), 1)
    assert list(found.unseen) == ["confidence"] and found.nearby[1].tolist() == [True]
    rates = gaps.rates([found]).set_index("of")
    assert rates.loc["beside 1", "metric"] == "stands out" and rates.loc["beside 1", "rate"] == 1
