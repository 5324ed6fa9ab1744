"""The interval of a paired difference, against its definition, closed forms and its coverage."""

import math

import numpy as np
import pytest
from regrowth.measure.paired import BUDGET, _rounded_up, decide, interval
from scipy.optimize import minimize_scalar
from scipy.stats import binom, multinomial, norm


def slow(gained, lost, n, alpha=0.05):
    """Every difference on a grid that is not rejected: the score test, its nuisance parameter
    maximised numerically."""
    z, inside = norm.isf(alpha / 2), []
    for difference in np.linspace(-1, 1, 2001)[1:-1]:

        def against(second, difference=difference):
            first, none = second + difference, 1 - 2 * second - difference
            told = zip((gained, lost, n - gained - lost), (first, second, none))
            return -sum(k * math.log(max(p, 1e-300)) for k, p in told if k)

        ends = max(0, -difference), (1 - difference) / 2
        second = minimize_scalar(against, bounds=ends, method="bounded", options={"xatol": 1e-9}).x
        variance = n * (2 * second + difference * (1 - difference))
        if abs(gained - lost - n * difference) <= z * math.sqrt(variance):
            inside.append(difference)
    return min(inside), max(inside)


@pytest.mark.parametrize("counts", [(12, 2, 50), (0, 0, 10), (2, 7, 20), (1, 0, 4), (0, 1, 44)])
@pytest.mark.parametrize("alpha", [0.05, 0.004])
def test_the_interval_is_the_score_tests(counts, alpha):
    assert interval(*counts, alpha) == pytest.approx(slow(*counts, alpha), abs=2e-3)


def test_without_a_change_it_is_as_wide_as_wilsons():
    for n in (1, 10, 400):
        z = norm.isf(0.025)
        assert interval(0, 0, n) == pytest.approx((-(z**2) / (n + z**2), z**2 / (n + z**2)))
    assert interval(0, 0, 0) == (-1, 1)


def test_the_interval_is_the_one_printed():
    """Fagerland, Lydersen and Laake, Recommended tests and confidence intervals for paired binomial
    proportions, Statistics in Medicine 33 (2014): 1 and 7 of 21 pairs."""
    assert interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_it_turns_with_the_sides_and_holds_its_point():
    for gained, lost, n in [(3, 1, 9), (9, 0, 9), (0, 9, 9), (40, 40, 90)]:
        low, high = interval(gained, lost, n)
        assert interval(lost, gained, n) == pytest.approx((-high, -low))
        assert low <= (gained - lost) / n <= high
    assert interval(9, 0, 9)[1] == 1 and interval(0, 9, 9)[0] == -1


@pytest.mark.parametrize(("n", "p"), [(12, (0.2, 0.05)), (40, (0.1, 0.1)), (40, (0.02, 0.0))])
def test_it_covers(n, p):
    """All outcomes, each with its probability."""
    covered, truth = 0.0, p[0] - p[1]
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            chance = multinomial.pmf([gained, lost, n - gained - lost], n, [*p, 1 - sum(p)])
            low, high = interval(gained, lost, n) if chance > 1e-9 else (0, 0)
            covered += chance * (low <= truth <= high)
    assert covered > 0.93


@pytest.mark.parametrize("n", [1, 4, 10, 30])
def test_few_pictures_decide_nothing(n):
    """Though not one picture changed."""
    found = decide([0], [0], [n])
    assert (found.word, found.difference) == ("undecided", 0)
    assert found.wanted == 74  # z² / (n + z²) = .05 at n = 73


def test_what_rises_is_not_said_to_hold():
    """A true rise from .05 to .15, every picture that gains one that was not a hit."""
    for n in (10, 30, 100, 300):
        wrong = sum(
            binom.pmf(k, n, 0.1) for k in range(n + 1) if decide([k], [0], [n]).word == "within"
        )
        assert wrong <= 0.05, n


def test_the_budget_counts_on_both_sides():
    for n in (100, 500, 5000):
        assert decide([0.02 * n], [0], [n]).word != "beyond", "0 against .02"
    assert decide([10], [0], [500]).word == "within"
    assert decide([60], [0], [500]).word == "beyond"
    near = decide([30], [0], [500])
    assert near.word == "undecided" and near.low < BUDGET < near.high
    assert decide([30], [0], [500], budget=0.2).word == "within"
    assert decide([30], [0], [500], budget=0.03).word == "beyond"


def test_an_interval_that_ends_at_the_budget_holds():
    low, high = interval(3, 1, 200)
    assert decide([3], [1], [200], budget=high).word == "within"
    assert decide([3], [1], [200], budget=low).word == "undecided"
    assert decide([3], [1], [200], budget=low - 1e-9).word == "beyond"


def test_many_attacks_need_more_pictures_and_the_largest_counts():
    one = decide([5], [0], [400])
    many = decide([5, 1, 0], [0, 0, 2], [400] * 3)
    assert (one.at, many.at) == (0, 0) and many.low < one.low and many.high > one.high
    assert (many.low, many.high) == interval(5, 0, 400, 0.05 / 3)
    assert decide([1, 0, 5], [0, 2, 0], [400] * 3).at == 2
    assert decide([9, 8], [9, 0], [400] * 2).at == 1, "what was lost is taken off"
    # the widest top and the highest bottom may be another's
    mixed = decide([30, 2], [0, 0], [300, 10])
    ends = [interval(30, 0, 300, 0.025), interval(2, 0, 10, 0.025)]
    assert mixed.difference == 0.2 and mixed.at == 1
    assert mixed.low == max(low for low, _ in ends) == ends[0][0]
    assert mixed.high == max(high for _, high in ends) == ends[1][1]


def test_so_many_would_decide():
    for counts in ([2, 0, 60], [30, 2, 400], [0, 0, 20]):
        wanted = decide(*([c] for c in counts)).wanted
        more = [[c * wanted / counts[2]] for c in counts]
        assert decide(*more).word != "undecided"
        fewer = [[c * 0.85 * wanted / counts[2]] for c in counts]
        assert decide(*fewer).word == "undecided"
    assert math.isnan(decide([5], [0], [100]).wanted), "at the budget itself no number would"
    assert math.isnan(decide([0], [0], [500]).wanted), "it is decided"


def test_where_nothing_was_compared_nothing_holds():
    """But what one attack surely brings back is back, whatever another would."""
    found = decide([0, 0], [0, 0], [0, 0])
    assert found.word == "undecided" and math.isnan(found.high) and math.isnan(found.wanted)
    assert found.at == 0 and math.isnan(found.difference) and math.isnan(found.low)
    for order in (slice(None), slice(None, None, -1)):
        one = decide([0, 90][order], [0, 0], [0, 100][order])
        assert (one.word, one.difference, one.high) == ("beyond", 0.9, 1.0)
        none = decide([0, 0], [0, 9][order], [0, 1000][order])
        assert (none.word, none.difference) == ("undecided", -0.009) and math.isnan(none.wanted)
    with pytest.raises(ValueError, match="^there is nothing to compare$"):
        decide([], [], [])
    with pytest.raises(ValueError):
        decide([1], [0, 0], [9, 9])


def test_no_more_than_a_million_pictures_are_asked_for():
    assert math.isnan(decide([49_990], [0], [1_000_000]).wanted)
    assert decide([490], [0], [10_000]).wanted == pytest.approx(190_000, rel=0.2)


@pytest.mark.parametrize(
    ("n", "told"), [(7.2, 8), (73.1, 74), (99.1, 100), (137.2, 140), (1372, 1400), (140, 140)]
)
def test_what_is_wanted_has_two_digits(n, told):
    assert _rounded_up(n) == told
