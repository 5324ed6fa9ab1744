"""Rates compared on the same pictures: the interval of their difference, and what it decides."""

import math
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.stats import norm

#: How much an attack may regrow, or a defence cost, before it counts.
BUDGET = 0.05
#: More pictures than these nobody draws to decide one thing.
MOST = 10**6


def interval(gained: float, lost: float, n: float, alpha: float = 0.05) -> tuple[float, float]:
    """Tango's score interval of the difference of two rates of the same `n` pictures.

    gained: hits of the first alone; lost: of the second alone. The difference is
    (gained − lost) / n. Covers at 1 − alpha. (−1, 1) where n is 0. Source: Tango, Equivalence
    test and confidence interval for the difference in proportions for the paired-sample design,
    Statistics in Medicine 17 (1998), equations 6 to 9.
    """
    if not n:
        return -1.0, 1.0
    z, point = norm.isf(alpha / 2), (gained - lost) / n

    def score(difference: float) -> float:
        """How many standard errors the point lies from a difference, under that difference."""
        b = (2 * n - gained + lost) * difference - gained - lost
        c = -lost * difference * (1 - difference)
        second = (math.sqrt(abs(b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * second + difference * (1 - difference))
        return n * (point - difference) / math.sqrt(max(variance, 1e-300))

    least, most = -1.0, 1.0  # pragma: no mutate (wider bounds find the same roots)
    low = -1.0 if point <= -1 else brentq(lambda d: score(d) - z, least, point)
    high = 1.0 if point >= 1 else brentq(lambda d: score(d) + z, point, most)
    return low, high


@dataclass(frozen=True)
class Decision:
    """word: "within" the budget, "beyond" it, or "undecided"; difference, low, high: the largest
    of the differences and its simultaneous interval; at: whose it is, by position; wanted: the n
    that would decide, at the same rates (nan: decided, or no n would)."""

    word: str
    difference: float
    low: float
    high: float
    at: int
    wanted: float


def decide(gained, lost, n, budget: float = BUDGET, alpha: float = 0.05) -> Decision:
    """Whether the largest of several differences is within a budget.

    gained, lost, n: numbers, one for each comparison, as `interval` takes them. Each interval is
    at 1 − alpha / their number, so that all of them hold at once, and the largest difference lies
    between the largest of the bottoms and the largest of the tops. It is within the budget only if
    that top is, beyond it only if that bottom is. A comparison without a picture may be anything.
    Raises ValueError if none is given.
    """
    counts = [tuple(map(float, some)) for some in zip(gained, lost, n, strict=True)]
    if not counts:
        raise ValueError("there is nothing to compare")
    if not any(of for _, _, of in counts):
        return Decision("undecided", math.nan, math.nan, math.nan, 0, math.nan)
    points = [(b - c) / of if of else -math.inf for b, c, of in counts]
    at = points.index(max(points))
    low, high = _spread(counts, 1, alpha)
    word = _word(low, high, budget)
    wanted = math.nan if word != "undecided" else _wanted(counts, at, budget, alpha)
    return Decision(word, points[at], low, high, at, wanted)


def _spread(counts, times: float, alpha: float) -> tuple[float, float]:
    """The interval of the largest difference, were there so many times the pictures."""
    ends = [interval(times * b, times * c, times * n, alpha / len(counts)) for b, c, n in counts]
    return max(low for low, _ in ends), max(high for _, high in ends)


def _word(low: float, high: float, budget: float) -> str:
    return "within" if high <= budget else "beyond" if low > budget else "undecided"


def _wanted(counts, at: int, budget: float, alpha: float) -> float:
    """The smallest n of comparison `at` that would decide, to two digits."""
    few, many = 1.0, 2.0  # pragma: no mutate (the steps are ways to the same n)
    while _word(*_spread(counts, many, alpha), budget) == "undecided":
        few, many = many, 2 * many  # pragma: no mutate
        if many * counts[at][2] > MOST:
            return math.nan
    while many / few > 1.01:  # pragma: no mutate
        middle = math.sqrt(few * many)
        decided = _word(*_spread(counts, middle, alpha), budget) != "undecided"
        few, many = (few, middle) if decided else (middle, many)
    return _rounded_up(many * counts[at][2])


def _rounded_up(n: float) -> float:
    """Two digits: 137.2 → 140."""
    step = 10 ** max(0, math.floor(math.log10(n)) - 1)
    return float(math.ceil(n / step) * step)
