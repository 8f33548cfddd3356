"""The arithmetic of drift, on sums that can be checked by hand."""

import math
import random
from dataclasses import replace
from itertools import product

import pytest

from feedback.drift.causes import Cause, Changes, Replayed, parts_of
from feedback.drift.cells import ANY, Cell, Group, Segment, strata_of
from feedback.drift.findings import WATCHED, Finding, find
from feedback.drift.testing import LEVEL, always_valid_half, always_valid_p, compare, holm
from feedback.drift.wording import cause_words, part_words, sentence, size_words
from feedback.metrics.definitions import BY_METRIC
from tests.bench import drift as bench

EN: Segment = ("billing", "en", "low")
DE: Segment = ("billing", "de", "low")
HOME: Segment = ("returns", "en", "low")
NOTHING = Changes(model=True, retrieval=False, policy=False)


def share(hits: int, n: int, *, after: bool, segment: Segment = EN, day: int = 0, level: int | None = None) -> Group:
    return Group(after, day, segment, level, Cell(n, hits, n, hits, hits, n))


# --- strata -----------------------------------------------------------------------------------------------------------


def test_small_segments_are_pooled_and_new_ones_are_left_out():
    small = ("billing", "fr", "low")
    found = strata_of(
        [
            *(share(1, 50, after=after, segment=segment) for after, segment in product((False, True), (EN, HOME))),
            share(1, 9, after=False, segment=small),
            share(1, 40, after=True, segment=small),
            share(1, 40, after=True, segment=("legal", "en", "low")),
            share(1, 30, after=False, segment=DE),
            share(1, 3, after=True, segment=DE),
        ]
    )
    assert found.of == {EN: EN, HOME: HOME, small: ("billing", ANY, ANY), DE: ("billing", ANY, ANY)}
    assert found.fresh == {("legal", "en", "low")}


def test_strata_depend_on_how_many_facts_there_are_and_not_on_what_they_say():
    dice = random.Random(7)
    for _ in range(50):
        counts = [(dice.randrange(30), after, segment) for after in (False, True) for segment in (EN, DE, HOME)]
        said = [strata_of(share(n // which, n, after=after, segment=s) for n, after, s in counts) for which in (1, 3)]
        assert said[0] == said[1]


# --- the change -------------------------------------------------------------------------------------------------------


def test_the_change_is_weighted_by_the_traffic_after():
    change = compare(
        [
            share(10, 100, after=False),
            share(50, 100, after=False, segment=DE),
            share(4, 20, after=True),
            share(48, 80, after=True, segment=DE),
        ]
    )
    assert (change.before, change.after) == (0.3, 0.52)
    assert change.value == pytest.approx(0.2 * (0.2 - 0.1) + 0.8 * (0.6 - 0.5))
    low, high = change.interval
    assert low < change.value < high


def test_a_mean_and_a_weighted_share_are_compared_by_the_same_sums():
    def seconds(values: list[float], *, after: bool) -> Group:
        return Group(after, 0, EN, None, Cell(len(values), sum(values), len(values), sum(v * v for v in values),
                                              sum(values), len(values)))  # fmt: skip

    dice = random.Random(3)
    old, new = [dice.gauss(100, 20) for _ in range(200)], [dice.gauss(130, 20) for _ in range(50)]
    change = compare([seconds(old, after=False), seconds(new, after=True)])
    assert change.value == pytest.approx(sum(new) / 50 - sum(old) / 200)
    assert math.sqrt(change.variance) == pytest.approx(20 * math.sqrt(1 / 200 + 1 / 50), rel=0.15)

    weighted = Group(True, 0, EN, None, Cell(100, 5 * 10, 5 * 100, 25 * 10, 25 * 10, 25 * 100))
    single = Group(True, 0, EN, None, Cell(100, 10, 100, 10, 10, 100))
    before = share(20, 100, after=False)
    assert compare([before, weighted]).null_variance == pytest.approx(compare([before, single]).null_variance)


def test_days_that_differ_widen_the_interval_and_days_that_do_not_leave_it():
    def of_days(*hits: int) -> float:
        days = [share(h, 20, after=False, day=day) for day, h in enumerate(hits)]
        return compare([*days, share(40, 200, after=True)]).inflation

    assert of_days(4, 4, 4, 4, 4, 4, 4, 4, 4, 4) == 1.0
    assert of_days(0, 8, 0, 8, 0, 8, 0, 8, 0, 8) > 4
    assert of_days(0, 8, 0, 8) == 1.0, "a few days tell nothing of how days differ"


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [share(3, 29, after=False), share(3, 300, after=True)],
        [share(0, 100, after=False), share(0, 100, after=True)],
        [share(10, 100, after=False), share(10, 100, after=True, segment=HOME)],
    ],
)
def test_what_cannot_be_compared_is_not(groups):
    assert compare(groups) is None


# --- the test ---------------------------------------------------------------------------------------------------------


def test_the_interval_holds_exactly_what_the_test_does_not_refuse():
    for variance in (1e-5, 1e-3, 0.02):
        half = always_valid_half(variance, 0.4, LEVEL)
        assert always_valid_p(half, variance, 0.4) == pytest.approx(LEVEL)
        assert always_valid_p(half * 0.9, variance, 0.4) > LEVEL > always_valid_p(half * 1.1, variance, 0.4)


def test_looking_after_every_case_raises_no_more_false_alarms_than_promised():
    """A plain test of 5 % after each of 300 cases would raise them in about a third of the rounds."""
    dice, alarms, rounds = random.Random(11), 0, 300
    for _ in range(rounds):
        before = sum(dice.random() < 0.3 for _ in range(400)) / 400
        hits = 0
        for n in range(1, 301):
            hits += dice.random() < 0.3
            if n >= 30 and always_valid_p(hits / n - before, 0.21 * (1 / 400 + 1 / n), math.sqrt(0.21)) < LEVEL:
                alarms += 1
                break
    assert alarms <= rounds * LEVEL * 1.5


def test_many_metrics_share_one_level():
    assert holm({"a": 0.006, "b": 0.009, "c": 0.2}, of=7) == {"a"}
    assert holm({"a": 0.006, "b": 0.008, "c": 0.2}, of=7) == {"a", "b"}
    assert holm({"b": 0.009}, of=7, found=2) == {"b"}
    assert holm({"a": 0.008}, of=7) == frozenset()


# --- causes -----------------------------------------------------------------------------------------------------------


def test_the_parts_add_up_to_the_whole_change_whatever_changed():
    dice = random.Random(5)
    for _ in range(30):
        groups = [
            share(dice.randrange(5, 20), 20, after=after, segment=segment, level=level)
            for after in (False, True)
            for segment in (EN, DE, HOME)
            for level in (2, 5, 8)
        ]
        change = compare(groups)
        replay = [
            Replayed(dice.choice((EN, DE, HOME)), (float(dice.random() < 0.5), 1.0), (1.0, 1.0)) for _ in range(60)
        ]
        parts = parts_of(change, groups, Changes(model=True, retrieval=True, policy=True, replay=replay))
        whole = parts.traffic + (parts.policy or 0.0) + (parts.retrieval or 0.0) + parts.rest
        assert whole == pytest.approx(change.after - change.before)


def parts(change: int = 60, **changes):
    groups = [share(20, 100, after=False), share(change, 100, after=True)]
    return parts_of(compare(groups), groups, Changes(**{"model": True, "retrieval": False, "policy": False} | changes))


def test_what_changed_together_and_cannot_be_measured_is_not_identifiable():
    assert parts().main == (Cause.MODEL,)
    assert parts(retrieval=True).main == (Cause.MODEL, Cause.RETRIEVAL)
    assert parts(retrieval=True, model=False).main == (Cause.RETRIEVAL,)
    assert parts(policy=True).main == (Cause.MODEL, Cause.POLICY)
    replay = [Replayed(EN, (float(number < 20), 1.0), (float(number < 60), 1.0)) for number in range(100)]
    told = parts(policy=True, replay=replay)
    assert (told.main, told.of(Cause.POLICY), told.of(Cause.MODEL)) == (
        (Cause.POLICY,),
        pytest.approx(0.4),
        pytest.approx(0.0),
    )
    assert parts(policy=True, replay=replay, faithful=0.5).main == (Cause.MODEL, Cause.POLICY)
    assert parts(policy=True, replay=[], same_policy=frozenset({"billing"})).of(Cause.POLICY) == 0.0
    groups = [share(20, 100, after=False), share(60, 50, after=True), share(5, 50, after=True, segment=HOME)]
    assert parts_of(compare(groups), groups, NOTHING).of(Cause.TRAFFIC) is None, "half of the traffic is new"


def test_a_finding_is_kept_as_json_and_known_ones_stay():
    groups = {
        name: [
            share(10, 400, after=False),
            share(60, 400, after=True),
            share(90, 400, after=True, segment=DE),
            share(10, 400, after=False, segment=DE),
        ]
        if name == "override_rate"
        else []
        for name in WATCHED
    }
    (found,) = find(groups, dict.fromkeys(WATCHED, NOTHING))
    assert found.is_drift
    assert found.moved.segment[1] == "de"
    assert Finding.from_json(found.to_json()) == found
    groups["override_rate"] = [share(10, 400, after=False), share(10, 400, after=True)]
    (found,) = find(groups, dict.fromkeys(WATCHED, NOTHING), known=["override_rate"])
    assert found.is_drift, "what was told stays told"


def test_findings_are_worded_with_their_sign_and_unit():
    groups = dict.fromkeys(WATCHED, ()) | {"override_rate": [share(20, 200, after=False), share(80, 200, after=True)]}
    (found,) = find(groups, dict.fromkeys(WATCHED, NOTHING))
    assert sentence(found).startswith("Override rate rose by 30.0 points at equal traffic (95 %: +")
    assert "from 10.0 % to 40.0 %: mostly the model." in sentence(found)
    assert (part_words(found, Cause.TRAFFIC), part_words(found, Cause.MODEL)) == ("0.0 points", "+30.0 points")
    assert part_words(found, Cause.RETRIEVAL) == "not measured"
    assert size_words(BY_METRIC["average_handling_time"], -75.2) == "−1 min 15 s"
    unknown = replace(found, parts=parts(retrieval=True))
    assert cause_words(unknown) == "not identifiable, the model and retrieval changed together"
    assert part_words(unknown, Cause.MODEL) == "not identifiable"
    partly = replace(found, covered=0.6, parts=replace(found.parts, is_traffic_known=False))
    assert cause_words(partly) == "mostly the model, in the 60 % that can be compared"
    assert part_words(partly, Cause.TRAFFIC) == "not identifiable"


def test_a_change_too_small_to_matter_is_not_told():
    groups = dict.fromkeys(WATCHED, ()) | {
        "override_rate": [share(2000, 100_000, after=False), share(3000, 100_000, after=True)]
    }
    (found,) = find(groups, dict.fromkeys(WATCHED, NOTHING))
    assert found.p < 0.001
    assert not found.is_drift


def test_the_bench_still_runs():
    lines = list(bench.measured(1, (20,), only="nothing changed"))
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["nothing changed", "nothing changed, days differ"]
