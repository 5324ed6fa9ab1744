"""What a trained eraser is made of, in closed form: combined gradients, what holds the weights, the
look ahead, masks that move, weights drawn anew."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from regrowth.learn import anchors, combine, masks, resilient
from scipy.optimize import minimize

WEIGHTS = (0.05, 1.0)


def two_gradients(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """g_r, g_f: of what must stay, and of the concept's loss, which is to rise."""
    draws = np.random.default_rng(seed)
    return draws.normal(size=7), draws.normal(size=7) * draws.choice([0.1, 1, 10])


def by_projection(g_r, g_f, weight):
    weight = combine.projected(float(g_r @ -g_f), float(g_f @ g_f), weight)
    return g_r - weight * g_f


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("seed", range(8))
def test_the_projection_is_the_nearest_gradient_that_forgets(seed, weight):
    """Against a solver of the quadratic problem: min |g − g_o|² where the concept's loss does not
    fall, <g_f, g> ≤ 0; g_o = g_r − λ g_f."""
    g_r, g_f = two_gradients(seed)
    start = g_r - weight * g_f
    found = minimize(
        lambda g: ((g - start) ** 2).sum(),
        start,
        jac=lambda g: 2 * (g - start),
        constraints={"type": "ineq", "fun": lambda g: -g_f @ g, "jac": lambda g: -g_f},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 200},
    )
    assert found.success
    made = by_projection(g_r, g_f, weight)
    np.testing.assert_allclose(made, found.x, atol=1e-5 * np.abs(start).max())
    if g_f @ start > 0:  # it acts: then λ does not show
        assert abs(g_f @ made) < 1e-12 * (g_f @ g_f)
        np.testing.assert_allclose(made, by_projection(g_r, g_f, 0.0), atol=1e-12)
    else:
        np.testing.assert_array_equal(made, start)


def test_both_cases_of_the_projection_are_tried():
    acts = [
        bool(g_f @ (g_r - weight * g_f) > 0)
        for weight in WEIGHTS
        for g_r, g_f in map(two_gradients, range(8))
    ]
    assert {*acts} == {True, False}


@pytest.mark.parametrize("seed", range(4))
def test_the_printed_weight_of_erasediff_lowers_its_inner_loss(seed):
    """<∇q, g> = max(<∇q, ∇L_r>, η |∇q|²): at least η |∇q|², and never less than without it."""
    g_r, q = two_gradients(seed)
    weight = combine.valued(float(g_r @ q), float(q @ q), 0.3)
    assert q @ (g_r + weight * q) == pytest.approx(max(g_r @ q, 0.3 * (q @ q)))
    assert combine.valued(1.0, 0.0, 0.3) == 0 and combine.projected(1.0, 0.0, 0.3) == 0.3


class Toy:
    """Two quadratic losses of one weight, by the names that a step has."""

    def __init__(self, **settings):
        self.at, self.settings = 0, settings
        draws = torch.Generator().manual_seed(3)
        self.weight = torch.randn(5, generator=draws, dtype=torch.float64, requires_grad=True)
        self.aims = torch.randn(2, 5, generator=draws, dtype=torch.float64)
        root = torch.randn(5, 5, generator=draws, dtype=torch.float64) / 3
        self.hessian = root @ root.T

    def forget(self):
        return (self.weight - self.aims[0]).square().sum()

    def retain(self):
        return 3 * (self.weight - self.aims[1]).square().sum()

    def tuning(self):
        off = self.weight - self.aims[1]
        return off @ self.hessian @ off / 2


def test_erasediff_as_coded_is_the_plain_weighted_sum():
    step = Toy(forget=0.1, retain=0.7)
    (made,), losses = combine.COMBINERS["sum"](step, [step.weight])
    loss = 0.1 * step.forget() + 0.7 * step.retain()
    torch.testing.assert_close(made, torch.autograd.grad(loss, step.weight)[0])
    assert [x.item() for x in losses] == [step.forget().item(), step.retain().item()]


def test_what_takes_turns_takes_them():
    step = Toy(forget=2.0, retain=0.5)
    for at in range(4):
        step.at = at
        (made,), _ = combine.COMBINERS["alternate"](step, [step.weight])
        loss = 0.5 * step.retain() if at % 2 else 2 * step.forget()
        torch.testing.assert_close(made, torch.autograd.grad(loss, step.weight)[0])


@pytest.mark.parametrize("hypergradient", [True, False])
def test_the_look_ahead_on_a_quadratic_is_its_closed_form(hypergradient):
    """θ* = (I + H)⁻¹(θ + H aim), and ∂θ*/∂θ = (I + H)⁻¹."""
    step = Toy(ahead=1.0, tuning=300, tuning_rate=0.3, rounds=300, hypergradient=hypergradient)
    step.settings |= {"forget": 1.0, "retain": 0}
    before = step.weight.detach().clone()
    inverse = torch.linalg.inv(torch.eye(5, dtype=torch.float64) + step.hessian)
    tuned = inverse @ (before + step.hessian @ step.aims[1])
    slope = 2 * (tuned - step.aims[0])
    (made,), _ = combine.COMBINERS["resilient"](step, [step.weight])
    torch.testing.assert_close(made, inverse @ slope if hypergradient else slope)
    assert torch.equal(step.weight.detach(), before)
    step.settings["ahead"] = 0.0
    (made,), _ = combine.COMBINERS["resilient"](step, [step.weight])
    torch.testing.assert_close(made, 2 * (before - step.aims[0]))


@pytest.mark.parametrize("largest", [0.5, 5.0, 40.0])
def test_the_fixed_point_halves_its_step_until_it_converges(largest):
    """It converges iff 0 < α(1 + h) < 2 for every eigenvalue h."""
    values = torch.linspace(0, largest, 4, dtype=torch.float64)
    wanted = torch.ones(4, dtype=torch.float64)
    (found,) = resilient.solved(lambda v: (values * v[0],), [wanted], 400)
    torch.testing.assert_close(found, wanted / (1 + values), atol=1e-4, rtol=1e-4)


def test_without_a_fixed_point_it_is_the_gradient_as_it_is():
    wanted = [torch.tensor([1.0, 2.0])]
    assert resilient.solved(lambda v: (-3 * v[0],), wanted, 5) is wanted


@pytest.fixture
def held():
    draws = torch.Generator().manual_seed(1)
    return {n: torch.randn(3, 4, generator=draws, requires_grad=True) for n in ("a", "b")}


def test_vdus_anchor_with_fishers_spread_is_selective_amnesias(held, monkeypatch):
    """(θ − μ)²/2σ² with μ = θ₀ and 1/σ² = 2λF is λF(θ − θ₀)²; each against its own derivative."""
    draws = torch.Generator().manual_seed(2)
    felt = {n: torch.rand(3, 4, generator=draws) for n in held}
    monkeypatch.setattr(anchors, "information", lambda *told: felt)
    material = SimpleNamespace(retain=None)
    told = {"spread": "fisher", "times": 1, "seed": 0}
    amnesia = anchors.fisher(None, held, material, told | {"anchor": 0.7})
    vdu = anchors.posterior(None, held, material, told | {"anchor": 1.4})
    frozen = {n: w.detach().clone() for n, w in held.items()}
    with torch.no_grad():
        for weight in held.values():
            weight += torch.randn(3, 4, generator=draws)
    loss = sum(0.7 * (felt[n] * (held[n] - frozen[n]).square()).sum() for n in held)
    for centre, precision in (amnesia, vdu):
        pulls = list(anchors.pull(held, centre, precision))
        for made, wanted in zip(
            pulls, torch.autograd.grad(loss, list(held.values()), retain_graph=True)
        ):
            torch.testing.assert_close(made, wanted)


def test_the_spread_of_some_states_is_theirs_and_never_nothing():
    ends = [{"a": torch.tensor([1.0, x, 5.0])} for x in (0.0, 2.0, 4.0)]
    centre, variance = anchors.spread(ends)
    torch.testing.assert_close(centre["a"], torch.tensor([1.0, 2.0, 5.0]))
    least = anchors.FLOOR * 4 / 3
    torch.testing.assert_close(variance["a"], torch.tensor([least, 4.0, least]))


SCULPTED = {"share": 0.5, "warmup": 2, "refresh": 3, "turnover": 0.5, "steps": 100}


def moved(steps, settings=SCULPTED):
    state = masks.State(None, {"a": torch.zeros(4)})
    for at, gradient in enumerate(steps, 1):
        state = masks.moving(at, state, {"a": torch.tensor(gradient)}, settings)
    return state


def test_a_moving_mask_is_by_the_gradients_since_the_last():
    # |sums| after the warm-up: 3 1 2 0
    start = [[5.0, 1, -1, 0], [-2.0, 0, -1, 0]]
    assert moved(start[:1]).on is None
    assert moved(start).on["a"].tolist() == [True, False, True, False]
    # since then 1 9 4 2: one of two is turned over, the least inside for the largest outside
    later = moved([*start, [1.0, 9, 4, 2]])
    assert later.on["a"].tolist() == [False, True, True, False]
    assert later.felt["a"].tolist() == [0, 0, 0, 0]
    still = moved([*start, [1.0, 9, 4, 2]], SCULPTED | {"steps": 3})
    assert still.on["a"].tolist() == [True, False, True, False], "after four fifths it rests"


@pytest.mark.parametrize("seed", range(4))
def test_a_turnover_keeps_the_size_of_a_mask(seed):
    draws = torch.Generator().manual_seed(seed)
    scores, old = torch.rand(9, 11, generator=draws), torch.rand(9, 11, generator=draws)
    on = masks.largest(old, 0.5)
    assert int(on.sum()) == 49
    new = masks.turned(on, scores, 0.2)
    assert int(new.sum()) == 49 and int((on & ~new).sum()) == int(0.2 * 49)
    assert scores[on & ~new].max() < scores[on & new].min()
    assert scores[new & ~on].min() > scores[~new & ~on].max()
    assert masks.turned(torch.ones(3, dtype=torch.bool), torch.rand(3), 0.2).all()


def test_what_is_drawn_anew_is_the_share_and_within_its_bounds(held, monkeypatch):
    """Of the self-attentions' matrices, by |weight| × Σ|gradient|; nothing else moves by a bit."""
    names = ("x.attn1.to_q.weight", "y.attn1.to_k.weight")
    held = dict(zip(names, held.values())) | {"x.attn2.to_q.weight": torch.ones(3, 4)}
    held["x.attn1.to_out.0.bias"] = torch.ones(4)
    draws = np.random.default_rng(0)
    felt = {f"{n}:absolute": draws.random((3, 4)).astype(np.float32) for n in names}
    monkeypatch.setattr(masks, "gradients", lambda *told: felt)
    before = {n: w.detach().clone() for n, w in held.items()}
    pictures = SimpleNamespace(latents=None, prompts=None)
    found = masks.reset(None, held, pictures, {"share": 0.25, "seed": 3})
    assert sum(int(m.sum()) for m in found.values()) == 6 and set(found) == {*names}
    scores = np.concatenate([felt[f"{n}:absolute"] * before[n].abs().numpy() for n in names])
    told = np.concatenate([found[n].numpy() for n in names])
    assert scores[told].min() > scores[~told].max()
    for name, weight in held.items():
        was = found.get(name, torch.zeros_like(weight, dtype=torch.bool))
        assert torch.equal(weight.detach()[~was], before[name][~was])
        assert (weight.detach()[was] != before[name][was]).all()
        assert (weight.detach()[was].abs() <= 1 / weight[0].numel() ** 0.5).all()
