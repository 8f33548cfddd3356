"""The advisor's pure parts: intervals of the books, calibration, what thresholds let through, which one is advised."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.advisor.calibration import calibrate
from feedback.advisor.evidence import Group
from feedback.advisor.intervals import Sums, beta_quantile, beta_share, clopper_pearson, enough_for, predicted
from feedback.advisor.pictures import errors_by_threshold, reliability, volume_by_threshold
from feedback.advisor.thresholds import Kind, grid, levels, recommend
from feedback.advisor.wording import error_words, recommendation_words, threshold_words


def seen(n: int, errors: int, weight: float = 1.0) -> Sums:
    return Sums(n, n * weight, n * weight**2, errors, errors * weight, errors * weight**2)


def group(confidence: float, n: int, errors: int, *, auto=False, weight=1.0, cases=None, can_pass=True) -> Group:
    return Group(confidence, can_pass, auto, cases or round(n * weight), seen(n, errors, weight))


# --- intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.308497),
        (1, 10, 0.002529, 0.445016),
        (5, 10, 0.187086, 0.812914),
        (10, 10, 0.691503, 1.0),
        (3, 1000, 0.000619, 0.008742),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_is_clopper_and_pearsons(errors, n, low, high):
    assert clopper_pearson(errors, n) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0.001, 0.999))
def test_the_ends_hold_the_stated_share_of_the_binomial(n, where, p):
    errors = round(where * n)
    low, high = clopper_pearson(errors, n)
    assert 0 <= low <= errors / n <= high <= 1

    def at_most(k: int, p: float) -> float:
        return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))

    if errors < n:
        assert at_most(errors, high) == pytest.approx(0.025, abs=1e-6)
    if errors:
        assert 1 - at_most(errors - 1, low) == pytest.approx(0.025, abs=1e-6)
    assert beta_share(beta_quantile(p, 2.5, n), 2.5, n) == pytest.approx(p, abs=1e-5)


def test_equal_weights_are_no_weights():
    for weight in (1.0, 20.0):
        assert seen(100, 3, weight).effective == pytest.approx(100)
        assert seen(100, 3, weight).interval == pytest.approx(clopper_pearson(3, 100))


def test_unequal_weights_know_less_and_the_more_so_where_the_errors_weigh_most():
    many, few = seen(100, 2), seen(10, 0, 20.0)
    mixed = many + few
    assert mixed.share == pytest.approx(2 / 300)
    assert mixed.kish == pytest.approx(300**2 / (100 + 4000))
    heavy = seen(100, 0) + seen(10, 1, 20.0)
    assert heavy.effective < mixed.kish == heavy.kish
    assert heavy.interval[1] > 0.2


def test_the_weighted_interval_holds_what_it_states():
    """Cases of two kinds, one seen by a tenth: how often does the interval hold the true share?"""
    rng, held, rounds = random.Random(5), 0, 300
    for _ in range(rounds):
        sums = Sums()
        for share, error, n in ((1.0, 0.10, 150), (0.1, 0.03, 1500)):
            for _ in range(n):
                if rng.random() < share:
                    sums += seen(1, rng.random() < error, 1 / share)
        low, high = sums.interval
        truth = (0.10 * 150 + 0.03 * 1500) / 1650
        held += low <= truth <= high
    assert held / rounds >= 0.95


def test_what_comes_is_less_sure_than_what_was():
    assert predicted(0, 0, 7) == (0, 7)
    least, most = predicted(10, 100, 100)
    low, high = clopper_pearson(10, 100)
    assert least <= 100 * low and 100 * high <= most
    assert predicted(0, 1000, 10)[0] == 0


def test_enough_is_what_no_error_at_all_would_show():
    for tolerance in (0.01, 0.02, 0.05, 0.3):
        n = enough_for(tolerance)
        assert clopper_pearson(0, n)[1] <= tolerance < clopper_pearson(0, n - 1)[1]
    assert enough_for(1.0) == 1 and enough_for(0.0) > 10**6


# --- calibration ------------------------------------------------------------------------------------------------------


def test_calibration_is_that_of_its_formulas():
    found = calibrate([group(0.95, 20, 1), group(0.9, 10, 2), group(0.35, 10, 7), Group(0.5, True, False, 9)])
    assert [(one.start, one.seen.n) for one in found.bins] == [(0.3, 10), (0.9, 30)]
    brier = (19 * 0.05**2 + 0.95**2 + 8 * 0.1**2 + 2 * 0.9**2 + 3 * 0.65**2 + 7 * 0.35**2) / 40
    assert found.brier == pytest.approx(brier)
    last = (20 * 0.95 + 10 * 0.9) / 30
    assert found.error == pytest.approx((10 * abs(0.3 - 0.35) + 30 * abs(0.9 - last)) / 40)
    assert calibrate([]).brier is None
    assert len(reliability(found).whiskers) == 2


def test_a_confidence_of_one_is_in_the_last_bin():
    assert [one.start for one in calibrate([group(1.0, 3, 0)]).bins] == [0.9]


# --- thresholds -------------------------------------------------------------------------------------------------------


def test_a_threshold_lets_through_what_lies_strictly_above_it_and_nothing_else_holds():
    groups = [group(0.9, 10, 1), group(0.8, 20, 4), group(0.95, 5, 0, can_pass=False)]
    found = {level.threshold: level for level in levels(groups, [0.9, 0.85, 0.8, 0.7], weeks=2)}
    assert [found[t].cases for t in (0.9, 0.85, 0.8, 0.7)] == [0, 10, 10, 30]
    assert (found[0.7].per_week, found[0.7].error) == (15, pytest.approx(5 / 30))


def test_automatic_approvals_count_as_many_as_they_are_not_as_were_sampled():
    groups = [group(0.97, 20, 2, auto=True, weight=10.0, cases=190), group(0.9, 50, 10, cases=100)]
    level = levels(groups, [0.5], weeks=1)[0]
    assert level.cases == 290
    assert level.error == pytest.approx((190 * 0.1 + 100 * 0.2) / 290)


def test_where_too_many_were_seen_by_nobody_nothing_is_said():
    unseen = Group(0.97, True, True, 30)
    assert levels([unseen, group(0.9, 50, 1)], [0.5], weeks=1)[0].error is None
    few = Group(0.97, True, True, 2)
    assert levels([few, group(0.9, 50, 1)], [0.5], weeks=1)[0].error == pytest.approx(1 / 50)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_grid_goes_down_in_steps_and_never_below_the_lower_threshold(one, two):
    floor, current = sorted((round(one, 4), round(two, 4)))
    found = grid(current, floor)
    assert current in found and min(found) >= floor and max(found) <= 1
    assert all(a > b for a, b in pairwise(found))


def advised(groups, *, current=0.95, tolerance=0.05, floor=0.5):
    found = levels(groups, grid(current, floor), weeks=10)
    return recommend(found, current=current, tolerance=tolerance)


GOOD = [group(0.99, 200, 0), group(0.92, 300, 3), group(0.8, 300, 60)]


def test_it_advises_to_lower_a_threshold_that_holds_back_what_is_right():
    one = advised(GOOD)
    assert (one.kind, one.level.threshold, one.change) == (Kind.LOWER, 0.8, 30)
    assert one.level.interval[1] <= 0.05
    assert recommendation_words(one).startswith("At 0.80: 30 cases a week more go by themselves, expected error 0.6 %")


def test_it_advises_to_raise_a_threshold_that_lets_errors_through():
    one = advised(GOOD, current=0.75)
    assert (one.kind, one.level.threshold) == (Kind.RAISE, 0.8)
    assert "fewer" in recommendation_words(one)


def test_it_keeps_what_is_right_and_says_when_it_cannot_know():
    assert advised(GOOD, current=0.8).kind == Kind.KEEP
    assert advised([group(0.99, 71, 0)]).kind == Kind.TOO_FEW
    assert "72 cases" in recommendation_words(advised([group(0.99, 71, 0)]))
    assert advised([group(0.99, 100, 4)]).kind == Kind.UNCLEAR
    none = advised([group(0.99, 100, 40), group(0.8, 300, 200)])
    assert (none.kind, none.level.threshold) == (Kind.NONE, 1.0)
    assert advised([]).kind == Kind.TOO_FEW


def test_it_stops_at_the_first_failure_whatever_lies_below():
    groups = [group(0.99, 200, 0), group(0.9, 50, 25), group(0.7, 5_000, 0)]
    assert levels(groups, [0.6], weeks=1)[0].interval[1] < 0.02, "it would do, could one know before"
    assert advised(groups, tolerance=0.02).kind == Kind.KEEP


def test_the_error_at_the_advised_threshold_is_within_the_tolerance_as_often_as_stated():
    """Five hundred tenants whose error falls with the confidence: how many are advised beyond what they tolerate?"""
    rng, beyond, acted = random.Random(11), 0, 0
    spots = [0.995 - 0.02 * number for number in range(20)]
    errors = [0.005 + 0.01 * number for number in range(20)]
    for _ in range(500):
        groups = [group(c, 40, sum(rng.random() < e for _ in range(40))) for c, e in zip(spots, errors, strict=True)]
        one = advised(groups, current=0.999, floor=0.6)
        if one.kind == Kind.LOWER:
            acted += 1
            passing = [e for c, e in zip(spots, errors, strict=True) if c > one.level.threshold]
            beyond += sum(passing) / len(passing) > 0.05
    assert acted > 200
    assert beyond / acted <= 0.025


def test_words_and_pictures():
    assert [threshold_words(value) for value in (0.9, 0.93, 0.9525, 1.0)] == ["0.90", "0.93", "0.9525", "1.00"]
    found = levels(GOOD, grid(0.95, 0.5), weeks=10)
    assert (error_words(found[0]), error_words(found[-1])) == ("unknown", "7.9 % (6.1 to 10.0)")
    picture = errors_by_threshold(found, [0.8, 0.95], 0.05)
    assert len(picture.marks) == 2 and picture.band and picture.limit
    assert volume_by_threshold(found, [0.95]).lines[0].count(",") == len(found)
    assert errors_by_threshold([], [], 0.02).band == "" and volume_by_threshold([], []).lines == [""]
