"""Classifiers that forget: each algorithm against a slow version or a closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from regrowth.classify import (
    UNLEARNERS,
    boundary,
    cut,
    influence,
    membership,
    networks,
    saliency,
    salun,
    scissorhands,
    tilt,
    train,
    tune,
)
from regrowth.classify import settings as said
from regrowth.classify.lesson import Lesson
from regrowth.classify.regrow import regrow
from regrowth.classify.relearn import relearn
from regrowth.classify.train import DECAY, MOMENTUM, Taught
from torch.nn import functional as F

CLASSES = 3


def taught(n: int, seed: int) -> Taught:
    """Noise; of each class its own corner is brighter."""
    draws = np.random.default_rng(seed)
    labels = draws.integers(CLASSES, size=n)
    images = draws.integers(120, size=(n, 1, 12, 12))
    for i, label in enumerate(labels):
        images[i, 0, 4 * label : 4 * label + 4, :6] += 100
    return Taught(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels))


@pytest.fixture
def lesson() -> Lesson:
    return a_lesson()


def a_lesson() -> Lesson:
    draws = torch.Generator().manual_seed(0)
    return Lesson(taught(12, 1), taught(40, 2), CLASSES, ("layer2", "layer3", "fc"), draws)


@pytest.fixture
def network(learnt):
    return copy(learnt)


@pytest.fixture(scope="module")
def learnt():
    """One that has learnt all of it."""
    lesson = a_lesson()
    made = networks.new("small", CLASSES, lesson.retain.images, 0)
    whole = Taught(*(torch.cat(pair) for pair in zip(_pair(lesson.retain), _pair(lesson.forget))))
    told = said.Training(epochs=8, rate=0.05, batch=16).model_dump()
    train.fit(made, whole, told, torch.Generator().manual_seed(0))
    return made.eval()


def _pair(some: Taught) -> tuple:
    return some.images, some.labels


def copy(network):
    return networks.restored("small", networks.state(network))


def felt_loss(network, some: Taught) -> float:
    """As a training of one batch sees it."""
    with torch.no_grad():
        images, labels = next(some.batches(len(some)))
        return float(F.cross_entropy(copy(network).train()(images), labels))


def accuracy(network, some: Taught) -> float:
    return float((train.logits(network, some).argmax(1) == some.labels.numpy()).mean())


# Networks and passes


@pytest.mark.parametrize(("name", "millions"), [("resnet18", 11.17), ("resnet34", 21.28)])
def test_the_large_networks_have_the_parameters_of_their_kind(name, millions):
    """Of CIFAR's ResNets for ten classes, whose stem is 3 × 3."""
    network = networks.NETWORKS[name].build(10, 3)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


def test_a_network_is_its_arrays(network, lesson):
    np.testing.assert_array_equal(
        train.logits(copy(network), lesson.forget), train.logits(network, lesson.forget)
    )


def test_every_batch_norm_is_told_by_its_kind(network):
    found = networks.of_batch_norm(network)
    assert {"bn1.weight", "layer2.0.bn2.bias", "layer2.0.downsample.1.weight"} <= found
    assert not any("conv" in name or name.startswith("fc") for name in found)
    assert len(found) == 2 * (1 + 3 * 2 + 2)


def test_an_augmented_picture_is_moved_or_moved_and_flipped():
    images = torch.rand(64, 2, 5, 5)
    made = train.augmented(images, torch.Generator().manual_seed(1), reach=2)
    padded = F.pad(images, [2] * 4)
    seen = set()
    for one, wide in zip(made, padded):
        places = [
            (y, x, flip)
            for y in range(5)
            for x in range(5)
            for flip in ([], [2])
            if torch.equal(one, wide[:, y : y + 5, x : x + 5].flip(flip))
        ]
        assert places
        seen |= {(y, x, bool(flip)) for y, x, flip in places}
    assert len({(y, x) for y, x, _ in seen}) > 15 and {flip for *_, flip in seen} == {False, True}


def test_a_pass_is_gradient_descent_with_momentum_and_decay(network, lesson):
    """Against the steps written out."""
    settings, other = {"batch": 10}, copy(network)
    train.epoch(
        network,
        lesson.forget,
        train.optimiser(network, 0.1),
        settings,
        torch.Generator().manual_seed(3),
    )
    moved = {name: torch.zeros_like(p) for name, p in other.named_parameters()}
    other.train()
    for rows in torch.randperm(12, generator=torch.Generator().manual_seed(3)).split(10):
        loss = F.cross_entropy(
            other(lesson.forget.images[rows].float() / 255), lesson.forget.labels[rows]
        )
        gradients = torch.autograd.grad(loss, list(other.parameters()))
        with torch.no_grad():
            for (name, p), g in zip(other.named_parameters(), gradients):
                moved[name] = MOMENTUM * moved[name] + g + DECAY * p
                p -= 0.1 * moved[name]
    for mine, wanted in zip(network.parameters(), other.parameters()):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-6)


# Unlearners


def test_each_unlearner_moves_what_it_is_to_move(network, lesson):
    """Ascent goes uphill, tuning downhill, and a drift moves no weight."""
    told = {"epochs": 3, "rate": 0.02, "batch": 100}
    start = networks.new("small", CLASSES, lesson.retain.images, 1)  # what has learnt is flat
    tune.ascent(worse := copy(start), lesson, told | {"still": False})
    tune.fine_tune(better := copy(start), replace(lesson, retain=lesson.forget), told)
    after = [felt_loss(one, lesson.forget) for one in (worse, start, better)]
    assert after[0] > 1.1 * after[1] and after[1] > 1.1 * after[2]
    before = networks.state(network)
    tune.drift(seen := copy(network), lesson, said.Drift(epochs=3, batch=6).model_dump())
    after = networks.state(seen)
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert same >= {name for name, _ in network.named_parameters()}
    assert "bn1.running_mean" not in same


@pytest.mark.parametrize("still", [True, False])
def test_an_ascent_moves_the_statistics_unless_they_are_to_stay(network, lesson, still):
    tune.ascent(moved := copy(network), lesson, said.Ascent(batch=6, still=still).model_dump())
    before, after = networks.state(network), networks.state(moved)
    assert not np.array_equal(before["conv1.weight"], after["conv1.weight"])
    for name in ("bn1.running_mean", "layer3.0.bn2.running_var"):
        assert np.array_equal(before[name], after[name]) == still


def test_a_sparse_tuning_adds_the_slope_of_its_penalty(network, lesson):
    """Of one step on one batch: the rate times α, against the weight's sign."""
    told = {"epochs": 1, "rate": 0.01, "batch": 100}
    lesson.draws = torch.Generator().manual_seed(5)
    tune.fine_tune(plain := copy(network), lesson, told)
    lesson.draws = torch.Generator().manual_seed(5)
    tune.sparse(thin := copy(network), lesson, told | {"alpha": 1e-2})
    for one, two, start in zip(plain.parameters(), thin.parameters(), network.parameters()):
        torch.testing.assert_close(one - two, 1e-4 * start.sign(), rtol=1e-2, atol=1e-6)


def test_the_nearest_side_is_one_signed_step_away(network, lesson):
    found = boundary.nearest(network, lesson.forget, 0.3, batch=5)
    for i in range(len(lesson.forget)):
        x = (lesson.forget.images[i : i + 1].float() / 255).requires_grad_(True)
        F.cross_entropy(network(x), lesson.forget.labels[i : i + 1]).backward()
        moved = (x.detach() + 0.3 * x.grad.sign()).clamp(0, 1)
        assert found[i] == network(moved).argmax()
    assert (found != lesson.forget.labels).any()


def test_an_expanded_network_has_one_class_more_and_keeps_the_rest(network, lesson):
    before = train.logits(network, lesson.retain)
    told = said.Expand(rate=1e-12, epochs=1).model_dump()
    network.eval()
    boundary.expand(wide := copy(network), lesson, told)
    wide.load_state_dict(
        {n: v for n, v in network.state_dict().items() if not n.startswith("fc")}, strict=False
    )
    after = train.logits(wide, lesson.retain)
    assert after.shape[1] == CLASSES + 1
    np.testing.assert_allclose(after[:, :CLASSES], before, rtol=1e-4, atol=1e-4)
    boundary.expand(taught_it := copy(network), lesson, told | {"rate": 0.05, "epochs": 8})
    assert (train.logits(taught_it, lesson.forget).argmax(1) == CLASSES).mean() > 0.5


def test_the_recursion_is_the_inverse_where_gradients_are_alike():
    """(1 + k g gᵀ / n)⁻¹ v, after k of them."""
    draws = torch.Generator().manual_seed(0)
    g, v = (torch.randn(6, generator=draws, dtype=torch.float64) for _ in range(2))
    found = influence.woodfisher([g] * 4, v, 10)
    wanted = torch.linalg.solve(torch.eye(6).double() + 4 * torch.outer(g, g) / 10, v)
    torch.testing.assert_close(found, wanted)


def test_the_recursion_is_the_published_one_where_they_are_not():
    draws = torch.Generator().manual_seed(0)
    gradients = torch.randn(3, 4, generator=draws)
    k, o = torch.randn(4, generator=draws), gradients[0]
    found = influence.woodfisher(gradients, k, 7)
    for g in gradients:
        k, o = k - (k @ g) / (7 + o @ g) * o, o - (o @ g) / (7 + o @ g) * o
    torch.testing.assert_close(found, k)


def test_influence_steps_along_what_is_forgotten_less_what_is_kept(network, lesson):
    """With no curvature told, the step is α v; v by gradients of single pictures."""
    network.eval()

    def total(some):
        losses = [F.cross_entropy(network(x), y) for x, y in some.batches(1)]
        return influence.flat(network, sum(losses))

    v = total(lesson.forget) / 52 - 12 / (52 * 40) * total(lesson.retain)
    before = torch.cat([p.detach().flatten().clone() for p in network.parameters()])
    influence.influence(network, lesson, {"alpha": 0.5, "samples": 10**9})
    after = torch.cat([p.detach().flatten() for p in network.parameters()])
    torch.testing.assert_close(after - before, 0.5 * v, rtol=1e-3, atol=1e-6)


def test_what_salun_does_not_choose_stays_to_the_bit(network, lesson):
    told = said.SalUn(share=0.3, epochs=2, batch=16).model_dump()
    on = salun.mask(network, lesson, told)
    total = sum(some.numel() for some in on.values())
    assert sum(int(some.sum()) for some in on.values()) == pytest.approx(0.3 * total, abs=1)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    salun.salun(network, lesson, told)
    moved = 0
    for name, after in network.named_parameters():
        assert torch.equal(after[~on[name]], before[name][~on[name]])
        moved += int((after[on[name]] != before[name][on[name]]).sum())
    assert moved > 0.25 * total


def test_saluns_mask_is_by_the_sum_of_gradients_over_all_layers(network, lesson):
    on = salun.mask(network, lesson, {"share": 0.1, "batch": 100})
    network.eval()
    loss = F.cross_entropy(network(lesson.forget.images.float() / 255), lesson.forget.labels)
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    least = min(float(g.abs()[m].min()) for g, m in zip(gradients, on.values()) if m.any())
    most = max(float(g.abs()[~m].max()) for g, m in zip(gradients, on.values()) if (~m).any())
    assert least >= most * (1 - 1e-3)


@pytest.mark.parametrize("name", UNLEARNERS)
def test_a_seed_matters_to_those_who_draw_alone(name, network, lesson):
    """Of what draws nothing a study has one run."""
    record = UNLEARNERS[name]
    told = said.Training(epochs=1, rate=0.05, batch=8).model_dump() if record.fresh else {}
    own = record.settings.held.model_fields
    some = {"epochs": 1, "batch": 8, "rate": 0.05, "samples": 5}
    told |= record.settings.held(**{k: v for k, v in some.items() if k in own}).model_dump()
    states = []
    for seed in (0, 1):
        lesson.draws = torch.Generator().manual_seed(seed)
        record.run(made := copy(network), lesson, told)
        states.append(networks.state(made))
    alike = all(np.array_equal(states[0][key], states[1][key]) for key in states[0])
    assert alike != record.random


# TRW


def test_a_tilted_distribution_is_the_projection_that_it_is_said_to_be():
    """Of any other q' that leaves the own class out, KL(q' | p) − β E[nearness] is larger by just
    KL(q' | q)."""
    draws = torch.Generator().manual_seed(0)
    before, head = (torch.randn(4, 4, generator=draws, dtype=torch.float64) for _ in range(2))
    labels, near = torch.tensor([0, 2, 3, 2]), tilt.nearness(head)
    found = tilt.tilted(before, labels, near, 3.0)
    p = torch.softmax(before, 1)
    for q, p_x, label in zip(found, p, labels):
        assert q[label] == 0
        rest = [c for c in range(4) if c != label]

        def value(some, rest=rest, p_x=p_x, label=label):
            return sum(some[c] * ((some[c] / p_x[c]).log() - 3 * near[label, c]) for c in rest)

        other = torch.rand(4, generator=draws, dtype=torch.float64)
        other[label] = 0
        other /= other.sum()
        apart = sum(other[c] * (other[c] / q[c]).log() for c in rest)
        assert float(value(other) - value(q)) == pytest.approx(float(apart))


def test_nearness_is_the_cosine_of_centred_rows():
    head = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 1.0]])
    centred = head.numpy() - head.numpy().mean(0)
    lengths = np.linalg.norm(centred, axis=1)
    wanted = centred @ centred.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(tilt.nearness(head), wanted, rtol=1e-5)


def test_a_forgotten_class_is_taken_for_what_it_is_taught(network, lesson):
    """What is said of it comes nearer to the aims; what is kept stays known."""
    told, first = said.Tilted(epochs=4, batch=8, rate=0.02).model_dump(), lesson.retain.labels == 0
    own, rest = (lesson.retain.some(torch.where(some)[0]) for some in (first, ~first))
    lesson = replace(lesson, forget=own, retain=rest)
    before = torch.from_numpy(train.logits(network, lesson.forget))
    near = tilt.nearness(network.fc.weight.detach())
    aims = tilt.tilted(before, lesson.forget.labels, near, told["tilt"])
    tilt.trw(taught_it := copy(network), lesson, told)
    after = torch.from_numpy(train.logits(taught_it, lesson.forget))

    def off(logits):
        return float((torch.softmax(logits, 1) - aims).abs().sum(1).mean())

    assert off(after) < 0.5 * off(before)
    assert accuracy(taught_it, lesson.forget) < 0.5 < accuracy(taught_it, lesson.retain)


# Scissorhands


@pytest.mark.parametrize("faithful", ["paper", "code"])
def test_the_share_that_is_drawn_anew_is_the_share_that_is_asked(network, lesson, faithful):
    told = said.Scissorhands(faithful=faithful, share=0.04, batch=6).model_dump()
    chosen = scissorhands.trimmed(network, lesson, told)
    norms = networks.of_batch_norm(network)
    late = {n: p for n, p in network.named_parameters() if lesson.is_late(n) and n not in norms}
    assert set(chosen) == set(late) and "layer2.0.downsample.1.weight" not in chosen
    share = sum(some.sum() for some in chosen.values()) / sum(p.numel() for p in late.values())
    if faithful == "paper":
        assert share == pytest.approx(0.04, abs=1e-4)
    else:  # of the whole network, of which these are a part
        total = sum(p.numel() for p in network.parameters())
        assert sum(some.sum() for some in chosen.values()) <= round(0.04 * total)


@pytest.mark.parametrize("faithful", ["paper", "code"])
def test_what_is_trimmed_is_the_largest_by_its_own_score(network, lesson, monkeypatch, faithful):
    """By scores that are drawn here: sums with their signs, of the late layers; or sums of
    magnitudes, of the whole network."""
    rng, held = np.random.default_rng(0), dict(network.named_parameters())
    given = {
        name: {"sum": rng.normal(size=p.shape), "absolute": rng.random(p.shape)}
        for name, p in held.items()
    }
    monkeypatch.setattr(scissorhands, "felt", lambda *args, **how: given)
    told = said.Scissorhands(faithful=faithful, share=0.04, batch=6).model_dump()
    norms = networks.of_batch_norm(network)
    late = {name for name in held if lesson.is_late(name) and name not in norms}
    kind = {"paper": "sum", "code": "absolute"}[faithful]
    score = {n: np.abs(of[kind] * held[n].detach().numpy()) for n, of in given.items()}
    of = score if faithful == "code" else late
    every = sorted((score[name].ravel() for name in of), key=len)
    order = np.sort(np.concatenate(every))[::-1]
    bar = order[round(0.04 * len(order)) - 1]
    chosen = scissorhands.trimmed(network, lesson, told)
    assert set(chosen) == late
    for name, some in chosen.items():
        np.testing.assert_array_equal(some, score[name] >= bar)


def test_every_picture_weighs_alike_however_small_its_batch(network, lesson):
    """Twelve pictures by five: the last batch has two. Against the gradient of all at once."""
    found = saliency.felt(network, lesson.forget, 5, even=True)
    images, labels = next(lesson.forget.batches(12))
    loss = F.cross_entropy(network.eval()(images), labels)
    for name, wanted in zip(found, torch.autograd.grad(loss, list(network.parameters()))):
        own = torch.from_numpy(found[name]["sum"]) * 5 / 12
        torch.testing.assert_close(own, wanted, rtol=1e-3, atol=1e-6)
    told = said.Scissorhands(batch=5, share=0.04).model_dump()
    alone = scissorhands.trimmed(network, lesson, told | {"batch": 12})
    whole = scissorhands.trimmed(network, lesson, told)
    assert np.mean([(whole[name] == some).mean() for name, some in alone.items()]) > 0.9999


def replayed(network, lesson, told: dict, monkeypatch) -> tuple[list, list, list]:
    """A repair as the code has it: the gradients that it took, those that it followed, and at which
    steps it projected."""
    felt, followed, own = [], [], scissorhands._gradients

    def gradients(network, batch):
        felt.append((network.training, batch, own(network, batch)))
        return [one.clone() for one in felt[-1][2]]  # what is added is added in place

    def follow(network, descent, found):
        followed.append(found)
        scissorhands.step(network, descent)

    monkeypatch.setattr(scissorhands, "_gradients", gradients)
    monkeypatch.setattr(scissorhands, "_follow", follow)
    return felt, followed, scissorhands._as_published(network, lesson, told)


def test_the_published_repair_step_by_step(network, lesson, monkeypatch):
    """Of a pass: one forgotten batch's gradient in evaluation mode; then, while forgotten pictures
    are left (12 by 8: two steps), what is kept less λ times the forgotten, projected in the late
    layers; then what is kept alone."""
    told = said.Scissorhands(faithful="code", batch=8, epochs=2, forget=0.0).model_dump()
    felt, followed, acted = replayed(network, lesson, told, monkeypatch)
    late = [lesson.is_late(name) for name, _ in network.named_parameters()]
    a_pass = 1 + 2 * 2 + 3
    assert len(felt) == 2 * a_pass and len(followed) == 2 * 5 and len(acted) == 2 * 2
    assert any(acted)
    for at in range(2):
        (mode, (seen, _), stale), *steps = felt[at * a_pass : (at + 1) * a_pass]
        assert not mode and all(training for training, *_ in steps)
        assert len(seen) == 8
        for i in range(2):
            (_, (kept, _), g_r), (_, (gone, _), _) = steps[2 * i : 2 * i + 2]
            assert len(kept) == 8 and len(gone) == (8, 4)[i]
            pairs = [(f, g) for f, g, own in zip(stale, g_r, late) if own]
            product = sum(float((f.double() * g.double()).sum()) for f, g in pairs)
            square = sum(float(f.double().square().sum()) for f, _ in pairs)
            assert acted[2 * at + i] == (product > 0)
            lost = max(0.5, product / (square + 1e-3)) if product > 0 else 0.0
            for f, g, own, found in zip(stale, g_r, late, followed[5 * at + i]):
                torch.testing.assert_close(found, g - lost * f if own else g, rtol=1e-4, atol=1e-6)
        for (_, _, g_r), found in zip(steps[4:], followed[5 * at + 2 : 5 * at + 5]):
            assert all(torch.equal(a, b) for a, b in zip(found, g_r))


def test_the_published_ascent_has_its_weight_and_projects_only_if_asked(
    network, lesson, monkeypatch
):
    told = said.Scissorhands(faithful="code", batch=40, epochs=1, forget=0.3, project=False)
    felt, followed, acted = replayed(network, lesson, told.model_dump(), monkeypatch)
    _, (_, _, g_r), (_, _, g_f) = felt
    assert acted == [False]
    for found, kept, gone in zip(followed[0], g_r, g_f):
        torch.testing.assert_close(found, kept - 0.3 * gone, rtol=1e-5, atol=1e-7)


def test_without_projection_the_ascent_has_its_own_weight(network, lesson, monkeypatch):
    """As print has it: where the projection would act, too."""
    felt, followed, own = [], [], scissorhands._gradients
    told = said.Scissorhands(batch=8, epochs=1, forget=0.01).model_dump()
    assert any(scissorhands._as_printed(copy(network), lesson, told))

    def gradients(network, batch):
        felt.append(own(network, batch))
        return [one.clone() for one in felt[-1]]

    monkeypatch.setattr(scissorhands, "_gradients", gradients)
    monkeypatch.setattr(scissorhands, "_follow", lambda n, d, found: followed.append(found))
    assert not any(scissorhands._as_printed(network, lesson, told | {"project": False}))
    for i, found in enumerate(followed):
        for one, gone, kept in zip(found, felt[2 * i], felt[2 * i + 1]):
            torch.testing.assert_close(one, kept - 0.01 * gone, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("init", ["uniform", "normal", "zeros", "ones"])
def test_what_is_drawn_anew_is_of_its_kind_and_the_rest_stays(network, init):
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    rng = np.random.default_rng(0)
    chosen = {
        name: rng.random(p.shape) < 0.5
        for name, p in network.named_parameters()
        if name in ("layer3.0.conv2.weight", "fc.bias")
    }
    n = scissorhands.redraw(network, chosen, init, torch.Generator().manual_seed(0))
    assert n == sum(some.sum() for some in chosen.values())
    for name, after in network.named_parameters():
        some = torch.from_numpy(chosen.get(name, np.zeros(after.shape, bool)))
        assert torch.equal(after[~some], before[name][~some])
    new = network.layer3[0].conv2.weight.detach()[torch.from_numpy(chosen["layer3.0.conv2.weight"])]
    bound = (96 * 9) ** -0.5
    if init == "uniform":
        assert new.abs().max() <= bound and float(new.std()) == pytest.approx(
            bound / 3**0.5, rel=0.02
        )
    if init == "normal":
        assert new.abs().max() > bound and float(new.std()) == pytest.approx(
            bound / 3**0.5, rel=0.02
        )
    if init in ("zeros", "ones"):
        assert (new == (init == "ones")).all()


def test_a_repair_never_steps_down_the_loss_of_what_is_forgotten(network, lesson, monkeypatch):
    """Each gradient that is followed, held against that of the batch it was projected by."""
    felt, followed = [], []
    own = scissorhands._gradients

    def gradients(network, batch):
        felt.append(own(network, batch))
        return felt[-1]

    def follow(network, descent, found):
        followed.append(found)
        scissorhands.step(network, descent)

    monkeypatch.setattr(scissorhands, "_gradients", gradients)
    monkeypatch.setattr(scissorhands, "_follow", follow)
    told = said.Scissorhands(batch=8, epochs=2, forget=0.0).model_dump()
    acted = scissorhands._as_printed(network, lesson, told)
    assert len(acted) == len(followed) == 2 * 5 and any(acted)
    for i, (found, projected) in enumerate(zip(followed, acted)):
        g_f, g_r = felt[2 * i], felt[2 * i + 1]
        product = sum(float((a.double() * b.double()).sum()) for a, b in zip(found, g_f))
        square = sum(float(a.double().square().sum()) for a in g_f)
        assert product <= 1e-6 * square
        if not projected:
            assert all(torch.equal(a, b) for a, b in zip(found, g_r))


def test_a_repair_keeps_the_statistics_of_what_is_kept(network, lesson):
    """With no step to speak of, those of a pass over what is kept alone."""
    told = said.Scissorhands(batch=100, epochs=1, rate=1e-12).model_dump()
    scissorhands._as_printed(repaired := copy(network), lesson, told)
    alone = copy(network).train()
    (images, _), *_ = lesson.retain.batches(100)
    with torch.no_grad():
        alone(images)
    for name, buffer in alone.named_buffers():
        if "running" in name:
            torch.testing.assert_close(repaired.get_buffer(name), buffer, rtol=1e-5, atol=1e-6)
    assert not torch.equal(alone.bn1.running_mean, network.bn1.running_mean)
    assert {repaired.bn1.momentum, repaired.layer2[0].downsample[1].momentum} == {0.1}


def test_the_published_projection_has_a_margin():
    """min ½ v² (|g_f|² + ε) − v ⟨g, g_f⟩ over v ≥ ½, by a fine grid."""
    grid = np.arange(0.5, 20, 1e-4)
    for product, square in ((3.0, 2.0), (0.1, 2.0), (7.0, 0.5)):
        values = grid**2 * (square + 1e-3) / 2 - grid * product
        assert scissorhands.away(product, square) == pytest.approx(grid[values.argmin()], abs=2e-4)
    assert scissorhands.away(-1.0, 2.0) == 0


# Cutting and growing back


def test_column_norms_of_a_convolution_are_those_of_its_matrix_product(network, lesson):
    """By what reaches it, place by place."""
    found = cut.norms(network, ["layer2.0.conv1.weight"], lesson.forget)
    network.eval()
    with torch.no_grad():
        x = F.relu(
            network.bn1(network.conv1((lesson.forget.images / 255 - network.mean) / network.std))
        )
        x = F.pad(network.layer1(x), [1] * 4)
    squares, places = np.zeros(24 * 9), 0
    for picture in x.numpy():
        for i in range(0, 6, 2):
            for j in range(0, 6, 2):
                patch = picture[:, i : i + 3, j : j + 3].ravel()
                squares += (patch / np.linalg.norm(patch)) ** 2
                places += 1
    np.testing.assert_allclose(found["layer2.0.conv1.weight"], np.sqrt(squares / places), rtol=1e-4)


def test_a_cut_zeroes_the_late_convolutions_alone_and_growing_fills_what_was_zeroed(
    network, lesson
):
    before = networks.state(network)
    facts = cut.cut(network, lesson, said.Cut(score="salun", share=0.05).model_dump())
    released = networks.state(network)
    assert facts["density"]["layer3.0.conv1.weight"] == pytest.approx(0.05, abs=1e-3)
    assert all(name.startswith(("layer2", "layer3")) for name in facts["density"])
    for attack in (said.Blind(), said.Revive(K=1.0)):
        kind = type(attack).__name__.lower()
        filled = regrow(released, kind, attack.model_dump(), "cpu", 0)
        for name, was in before.items():
            gone = (released[name] == 0) & (was != 0)
            assert gone.any() == (name in facts["density"])
            np.testing.assert_array_equal(filled[name][~gone], released[name][~gone])
            assert not gone.any() or (filled[name][gone] != 0).mean() > 0.9


def test_a_sure_sign_is_worth_its_scale_of_the_rows_largest_kept(network, lesson):
    cut.cut(network, lesson, said.Cut(score="salun", share=0.1).model_dump())
    released = networks.state(network)
    one, two = (
        regrow(released, "blind", said.Blind(scale=scale).model_dump(), "cpu", 0)
        for scale in (0.5, 1.0)
    )
    weights = [name for name, w in released.items() if w.ndim == 4 and (w == 0).any()]
    assert weights
    for name in weights:
        gone, rows = released[name] == 0, len(released[name])
        np.testing.assert_allclose(2 * one[name][gone], two[name][gone], rtol=1e-6)
        most = np.abs(released[name]).reshape(rows, -1).max(1)
        filled = np.where(gone, np.abs(two[name]), 0).reshape(rows, -1).max(1)
        assert (filled <= most * (1 + 1e-6)).all() and filled.max() > 0


# Attacks and figures


def test_features_of_membership_one_picture_at_a_time():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 4)) * 3, np.array([0, 1, 2, 0, 1, 2])
    mended, published = membership.m_entropy(logits, labels), []
    for row, y in zip(logits, labels):
        p = np.exp(row) / np.exp(row).sum()
        rest = sum(p[c] * np.log(1 - p[c]) for c in range(4) if c != y)
        assert mended[len(published)] == pytest.approx(-(1 - p[y]) * np.log(p[y]) - rest)
        weight = [1 - p[c] if c in labels else p[c] for c in range(4)]
        published.append(-sum(w * np.log(q) for w, q in zip(weight, p)))
    np.testing.assert_allclose(membership.m_entropy_published(logits, labels), published)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(membership.confidence(logits, labels), p[range(6), labels])
    np.testing.assert_allclose(membership.entropy(logits, labels), -(p * np.log(p)).sum(1))
    assert not np.allclose(mended, published)


def test_a_model_that_remembers_gives_its_members_away():
    """Members are sure, the others are not; of the forgotten, half are as the one, half as the
    other."""
    sure, unsure = [8.0, 0.0], [0.2, 0.0]
    logits = np.array([sure] * 20 + [unsure] * 20 + [sure] * 5 + [unsure] * 5)
    parts = np.repeat(["retain", "test", "forget"], [20, 20, 10])
    labels = np.zeros(50, int)
    told = membership.unseen("confidence", parts, logits, labels)
    assert told.tolist() == [False] * 5 + [True] * 5
    assert not membership.unseen("correctness", parts, logits, labels).any()


def test_relearning_stops_at_its_goal_or_its_cap(network, lesson):
    told = said.Relearn(rate=0.02, batch=6, cap=3).model_dump()
    assert relearn(copy(network), lesson.forget, 0.0, told, 0) == [accuracy(network, lesson.forget)]
    assert len(relearn(copy(network), lesson.forget, 1.1, told, 0)) == 4
