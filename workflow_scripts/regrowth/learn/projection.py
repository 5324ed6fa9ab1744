"""The weight of one gradient beside another, in closed form: Scissorhands' and EraseDiff's."""

import torch

Gradients = list[torch.Tensor]


def products(one: Gradients, other: Gradients) -> tuple[float, float]:
    """<other, one> and |one|², over all weights together, in double precision."""
    product = sum(float((a.double() * b.double()).sum()) for a, b in zip(one, other))
    return product, sum(float(a.double().square().sum()) for a in one)


def added(one: Gradients, other: Gradients, weight: float) -> Gradients:
    """other + weight · one, in the place of `other`; of none, which is empty, in that of `one`."""
    for i, gradient in enumerate(one):
        more = weight * gradient
        if other:
            other[i] += more
        else:
            one[i] = more
    return other or one


def projected(product: float, square: float, weight: float) -> float:
    """The weight of the forget gradient under which no step undoes forgetting, and at least
    `weight`.

    product: <g_r, u>, square: |u|², where u is the gradient of what is lowered to forget. With
    u = −g_f it is Scissorhands' g = g_r − max(λ, <g_r, g_f> / |g_f|²) g_f (its dual problem
    (5), printed as a supremum, is an infimum): then <u, g> ≥ 0, and 0 where it acted.
    """
    return max(weight, -product / square) if square else weight


def valued(product: float, square: float, slack: float) -> float:
    """EraseDiff's printed weight: max(0, (η |u|² − <g_r, u>) / |u|²), the inner optimum of
    its value function a constant."""
    return max(0.0, slack - product / square) if square else 0.0
