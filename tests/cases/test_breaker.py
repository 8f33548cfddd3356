"""The sequential tests by themselves: how often they alarm for nothing, how soon they see a change."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.breaker import (
    Direction,
    ShareSide,
    from_json,
    interval,
    rate_interval,
    run_length,
    share_sides,
    share_test,
    to_json,
    volume_sides,
)

RISE, FALL = [Direction.RISE], [Direction.FALL]


def until_alarm(side, observations, most=1_000_000) -> int:
    for number in range(1, most):
        if side.see(next(observations)):
            return number
    return most


def coin(share: float, seed: int):
    rng = random.Random(seed)
    while True:
        yield rng.random() < share


def fresh(sides):
    return from_json(to_json(sides))[0]


@pytest.mark.parametrize(
    ("share", "shift", "every"), [(0.02, 0.1, 2000), (0.2, 0.1, 2000), (0.5, 0.2, 500), (0.9, 0.05, 2000)]
)
def test_the_run_length_that_is_computed_is_the_one_that_happens(share, shift, every):
    hit, miss, limit = share_test(share, shift, every)
    computed = run_length(share, hit, miss, limit)
    assert every <= computed
    assert run_length(share, hit, miss, limit - 1) < every, "no limit that is lower would do"
    runs = [until_alarm(ShareSide(RISE[0], hit, -miss, limit), coin(share, seed)) for seed in range(150)]
    assert sum(runs) / len(runs) == pytest.approx(computed, rel=0.3)


def test_the_run_length_agrees_with_the_same_equations_solved_by_iteration():
    hit, miss, limit, share = 5, 2, 20, 0.2
    lengths = [0.0] * limit
    for _ in range(5_000):
        for i in reversed(range(limit)):
            ahead = lengths[i + hit] if i + hit < limit else 0.0
            lengths[i] = 1 + share * ahead + (1 - share) * lengths[max(i - miss, 0)]
    assert run_length(share, hit, miss, limit) == pytest.approx(lengths[0], rel=1e-6)


@settings(max_examples=40)
@given(st.floats(0, 1), st.sampled_from([0.05, 0.1, 0.3, 0.5]), st.sampled_from([100, 5000, 100_000]))
def test_whatever_the_baseline_is_there_is_a_test_that_drifts_the_right_way(share, shift, every):
    hit, miss, limit = share_test(round(share, 3), shift, every)
    assert hit > 0 and miss > 0 and limit > 0
    p0 = min(max(share, 0.002), 0.998)
    p1 = min(p0 + shift, 1 - (1 - p0) / 4)
    assert p0 * hit < (1 - p0) * miss * 1.05
    assert p1 * hit > (1 - p1) * miss


def test_a_rise_is_seen_within_tens_of_cases_and_a_fall_only_by_who_looks_for_it():
    sides = share_sides(RISE, shift=0.1, every=5000, share=0.1)
    delays = [until_alarm(fresh(sides), coin(0.4, seed)) for seed in range(100)]
    assert sum(delays) / 100 < 25
    assert until_alarm(fresh(sides), coin(0.0, 1), most=20_000) == 20_000
    falling = share_sides(FALL, shift=0.1, every=5000, share=0.5)
    assert until_alarm(fresh(falling), coin(0.1, 1)) < 60


def test_two_directions_share_the_false_alarms_of_one():
    one, (rise, fall) = (
        share_sides(RISE, shift=0.1, every=5000, share=0.5),
        share_sides(list(Direction), shift=0.1, every=5000, share=0.5),
    )
    assert rise.limit > one[0].limit
    assert (fall.hit, fall.miss) == (rise.miss, rise.hit), "at one half both look alike"


def test_a_learned_baseline_is_taken_at_its_careful_edge():
    known = share_sides(RISE, shift=0.1, every=5000, share=0.2)[0]
    learned = share_sides(RISE, shift=0.1, every=5000, hits=20, n=100)[0]
    assert learned.hit / -learned.miss < known.hit / -known.miss


def test_a_sum_counts_from_where_it_began():
    side = ShareSide(Direction.RISE, hit=3, miss=-1, limit=8)
    for number, is_hit in enumerate([False, True, False, False, False, True, True]):
        assert not side.see(is_hit, at=f"t{number}")
    assert (side.value, side.n, side.hits, side.since) == (6, 2, 2, "t5")
    assert side.see(True, at="t7")


def test_what_is_stored_goes_on_where_it_stopped():
    whole, halves = (
        share_sides(RISE, shift=0.1, every=5000, share=0.3),
        share_sides(RISE, shift=0.1, every=5000, share=0.3),
    )
    source = [next(coin(0.35, seed)) for seed in range(400)]
    for number, is_hit in enumerate(source):
        whole[0].see(is_hit)
        halves = from_json(to_json(halves)) if number % 7 == 0 else halves
        halves[0].see(is_hit)
    assert whole == halves


@pytest.mark.parametrize(("mean", "moved"), [(4, 9), (40, 60), (400, 500)])
def test_a_volume_that_jumps_is_seen_in_a_few_slots(mean, moved):
    rng = random.Random(5)
    counts = [poisson(rng, mean) for _ in range(60)]
    sides = volume_sides(RISE, shift=0.25, every=1000, counts=counts)
    assert until_alarm(fresh(sides), (poisson(rng, moved) for _ in iter(int, 1)), most=200) < 15


def test_a_steady_volume_alarms_about_as_rarely_as_was_asked():
    sides = volume_sides(RISE, shift=0.5, every=300, mean=20)
    runs = []
    for seed in range(100):
        rng = random.Random(seed)
        runs.append(until_alarm(fresh(sides), (poisson(rng, 20) for _ in iter(int, 1)), most=5000))
    assert 200 < sum(runs) / 100 < 600


def test_counts_that_vary_by_more_than_chance_widen_the_test():
    calm, wild = [20, 21, 19, 20] * 10, [5, 40, 12, 30] * 10
    assert volume_sides(RISE, shift=0.5, every=300, counts=wild)[0].spread > 2
    assert volume_sides(RISE, shift=0.5, every=300, counts=calm)[0].spread == 1


def test_nothing_at_all_is_a_volume_too():
    (side,) = volume_sides(RISE, shift=0.5, every=300, counts=[0] * 30)
    assert not any(side.see(0) for _ in range(1000))
    assert until_alarm(side, iter([30] * 10)) <= 2


def test_intervals_hold_what_they_should():
    assert interval(0, 0) == (0.0, 1.0)
    low, high = interval(14, 20)
    assert (round(low, 3), round(high, 3)) == (0.481, 0.855)
    assert interval(0, 50)[0] == 0.0 and interval(50, 50)[1] == 1.0
    low, high = rate_interval(100, 10)
    assert 8 < low < 10 < high < 12.2


def poisson(rng: random.Random, mean: float) -> int:
    count, left = 0, rng.expovariate(1)
    while left < mean:
        count, left = count + 1, left + rng.expovariate(1)
    return count
