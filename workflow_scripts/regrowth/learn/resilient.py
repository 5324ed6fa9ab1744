"""ResAlign's look ahead: the concept's loss after a tuning that somebody may do later.

θ* is near the least of L_tuning(θ') + |θ' − θ|²/2. There ∂θ*/∂θ = (I + H)⁻¹, H the tuning
loss's Hessian at θ*, so that the gradient of L_harm(θ*) by θ is (I + H)⁻¹ ∇L_harm(θ*).
"""

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

HALVINGS = 5


def ahead(step, weights: list[torch.Tensor]) -> list[torch.Tensor]:
    """The gradient of the concept's loss after a simulated tuning, by the weights before it, which
    are put back. Without `hypergradient` ∂θ*/∂θ is taken for I."""
    told = step.settings
    before = [w.detach().clone() for w in weights]
    tuned(weights, step.tuning, told["tuning"], told["tuning_rate"])
    found = list(torch.autograd.grad(step.forget(), weights))
    if told["hypergradient"]:
        with sdpa_kernel(SDPBackend.MATH):  # the others cannot be derived twice
            slope = torch.autograd.grad(step.tuning(), weights, create_graph=True)

            def curved(v):
                return torch.autograd.grad(slope, weights, v, retain_graph=True)

            found = solved(curved, found, told["rounds"])
    with torch.no_grad():
        for weight, old in zip(weights, before):
            weight.copy_(old)
    return found


def tuned(
    weights: list[torch.Tensor], loss: Callable[[], torch.Tensor], steps: int, rate: float
) -> None:
    """Moves weights down loss(θ') + |θ' − θ|²/2, θ where they begin, by gradient descent."""
    before = [w.detach().clone() for w in weights]
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(), weights)
        with torch.no_grad():
            for weight, gradient, old in zip(weights, gradients, before):
                weight -= rate * (gradient + weight - old)


def solved(
    curved: Callable[[list[torch.Tensor]], tuple[torch.Tensor, ...]],
    wanted: list[torch.Tensor],
    rounds: int,
) -> list[torch.Tensor]:
    """v of (I + H) v = wanted, by so many rounds of v ← v − α((I + H)v − wanted) from zero.

    curved: v → Hv. Begins with α = 1; where the error grows α is halved and it begins anew. If that
    does not help HALVINGS times, as where H has an eigenvalue below −1, it is `wanted`.
    """
    alpha = 1.0
    for _ in range(HALVINGS + 1):
        found, size = [alpha * w for w in wanted], norm(wanted)
        for _ in range(rounds - 1):
            error = [v + h - w for v, h, w in zip(found, curved(found), wanted)]
            if norm(error) > size:
                break
            size = norm(error)
            found = [v - alpha * e for v, e in zip(found, error)]
        else:
            return found
        alpha /= 2
    return wanted


def norm(values: list[torch.Tensor]) -> float:
    return float(torch.stack([v.double().square().sum() for v in values]).sum().sqrt())
