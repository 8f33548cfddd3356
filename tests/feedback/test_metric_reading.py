"""What is read from the sums equals a count by hand, to the last digit, and never leaves its bounds."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Case
from cases.replay import InProcess
from cases.services import lifecycle, satisfaction
from feedback.errors import NothingToUndo, TooLate
from feedback.metrics import overview, rollups
from feedback.metrics.behind import facts_behind, measures_behind
from feedback.metrics.definitions import BY_METRIC, Dimension
from feedback.metrics.reading import BadQuestion, Period, Question, available, figures, full_hours, read_sums, zone_of
from feedback.models import Review
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Entry, Reviewer
from queues.services import claims
from tests import real
from tests.feedback import brute
from tests.feedback.corrections import decide_case
from tests.submissions import complete
from tests.worlds import SURE, World, make_world

LINES = 8  # of each real set, by default
WHY = {"notes": "see the policy", "reason_code": "other"}
VERDICTS = (
    Submission("accept", **WHY),
    Submission("edit", final_answer="Not quite: within 30 days, and only unworn.", **WHY),
    Submission("reject", policy_reason="not covered", **WHY),
    Submission("needs_edit", **WHY),
)
EVERYTHING = (None, *Dimension)


def question(world: World, *, days: int = 40, **fields) -> Question:
    now = db_now()
    zone, _ = zone_of(world.tenant)
    start, end = full_hours(now - timedelta(days=days), now + timedelta(hours=1), zone)
    return Question(world.tenant.pk, zone, start, end, **fields)


def live_through(world: World, bodies: list[dict]) -> None:
    """Forty days in which ``bodies`` come in and are decided in every way; some are undone, reopened, withdrawn,
    scored, decided late, or never."""
    door, began = InProcess(world.tenant, world.service), db_now() - timedelta(days=39)
    for number, body in enumerate(bodies):
        at = began + timedelta(hours=19 * number)
        with pretend_now(at):
            name = f"case-{number}"
            door.send(json.dumps(body | {"external_id": name}).encode())
            case = Case.objects.get(tenant=world.tenant, external_id=name)
            Case.objects.filter(pk=case.pk).update(open_actions=0)  # What becomes of the actions is another story.
        decided = at + timedelta(minutes=7 * number)
        with pretend_now(decided - timedelta(seconds=5 * number)):
            person = world.reviewer if number % 3 else world.colleague
            waits = Entry.objects.filter(case=case, claimed_by=None).exists()
            if number % 11 == 10 and case.state == "pending_review":
                lifecycle.withdraw(case.pk, actor=world.service)
            elif number % 7 != 6 and waits:
                verdict = 1 if case.current_draft.is_absent else number % 4 if number % 5 else 0
                if verdict == 3 and case.state != "pending_review":
                    verdict = 2  # No new draft is asked for once it was approved automatically.
                entry = claims.claim(case, person)
                with pretend_now(decided):
                    submission = complete(VERDICTS[verdict], entry)
                    reviews.submit(case.pk, submission, actor=person, generation=entry.generation)
        with (
            pretend_now(decided + timedelta(seconds=2)),
            suppress(NothingToUndo, TooLate),
        ):  # An audited automatic approval was final before.
            if number % 6 == 1:
                reviews.undo(case.pk, actor=person)
        with pretend_now(at + timedelta(hours=6)):
            case = Case.objects.get(pk=case.pk)
            if number % 8 == 4 and case.state in ("approved", "rejected"):
                lifecycle.reopen(case.pk, actor=world.supervisor, reason="appeal")
                if number % 16 == 4:
                    other = world.colleague if person == world.reviewer else world.reviewer
                    decide_case(world, case, VERDICTS[2], user=other)
            if number % 4 == 0 and case.state != "withdrawn":
                satisfaction.report(case.pk, score=1 + number % 5, actor=world.service)
    rollups.refresh()


@pytest.fixture
def world(db) -> World:
    rules = {"new_release_reviews": 0, "sampling_share": 0.7}
    world = make_world(rules=rules, undo_seconds=20, time_zone="Asia/Kolkata")
    Reviewer.objects.update(capacity=100)  # What is undone stays with its reviewer.
    return world


def bodies(count: int) -> list[dict]:
    body = {"user_question": "Refund after 40 days?", "model_draft": "Yes, within 60 days."}
    kinds = [
        {"domain": "billing", "signals": SURE},
        {"domain": "billing", "signals": {"calibrated_confidence": 0.8}},
        {"domain": "returns", "risk_level": "high", "release": {"model": "m", "version": "2"}},
        {"domain": "returns", "model_draft": None, "signals": SURE},
        {"domain": "delivery", "signals": SURE, "risk_level": "low"},
    ]
    made = [body | kinds[number % len(kinds)] for number in range(count)]
    return [{name: value for name, value in one.items() if value is not None} for one in made]


def assert_equal(world: World, facts: brute.Facts, period: Period | None, by: Dimension | None) -> int:
    """Every metric of every group; how many groups there were."""
    asked = question(world, period=period, by=by)
    expected = brute.grouped(facts, world.tenant.time_zone, period=period, by=by)
    found = figures(asked, [name for name in available(asked) if name != "queue_age"])
    for figure in found:
        parts = expected.get((figure.at, figure.key))
        if parts is None:  # A group of nothing but withdrawn cases.
            assert (figure.above, figure.below) == (0, 0)
            continue
        ours = parts[figure.metric.name]
        if figure.metric.name == "average_handling_time":
            assert (figure.p50, figure.p90) == ours[2:], figure
        assert (figure.above, figure.below, figure.value) == (*ours[:2], brute.quotient(ours)), figure
    assert {(figure.at, figure.key) for figure in found} >= set(expected)
    return len(expected)


@pytest.mark.timeout(300)
def test_every_metric_of_every_group_equals_a_count_by_hand(world):
    live_through(world, bodies(44))
    assert rollups.compare(world.tenant) == []
    assert Review.objects.filter(kind="undo").count() > 2
    facts = brute.facts(world.tenant, db_now())
    for by in EVERYTHING:
        assert assert_equal(world, facts, None, by) or by == Dimension.CONDITION
    for period in Period:
        assert assert_equal(world, facts, period, Dimension.DOMAIN) > 2
    totals = {figure.metric.name: figure for figure in figures(question(world), available(question(world)))}
    assert_moved(world, facts, "America/Havana")  # The hours of the old zone stay until all are counted anew.
    zero = {name for name, figure in totals.items() if not figure.value}
    # Which automatic approvals are sampled goes by their keys, and those are new in every run.
    assert zero <= {"queue_age", "automatic_approval_error"}, f"a world in which {zero} is nothing shows little"


def assert_moved(world: World, facts: brute.Facts, zone: str) -> None:
    old = zone_of(world.tenant)[0]
    world.tenant.time_zone = zone
    world.tenant.save_as(world.supervisor, "moved")
    rollups.refresh()
    assert zone_of(world.tenant)[0] == old
    rollups.rebuild(world.tenant)
    assert zone_of(world.tenant)[0] == zone
    assert rollups.compare(world.tenant) == []
    assert_equal(world, facts, None, Dimension.REVIEWER)
    assert_equal(world, facts, Period.DAY, Dimension.DOMAIN)


def test_what_the_page_reads_at_once_is_what_is_read_one_by_one(world):
    live_through(world, bodies(24))
    for asked in (question(world, days=20), question(world, days=20, domain="returns"), question(world, days=1)):
        course = overview.course_of(asked, Period.DAY)
        assert course.periods == {at: sums for (at, _), sums in read_sums(replace(asked, period=Period.DAY)).items()}
        for found, of in ((course.now, asked), (course.before, asked.before())):
            assert found == read_sums(of).get((None, None), dict.fromkeys(overview.NAMES, 0))
        reasons = overview.reasons_of(asked, 1)
        for found, of in ((reasons.repeated, asked), (reasons.repeated_before, asked.before())):
            assert found == figures(of, ["repeat_escalation_reasons"])[0].above
        groups = overview.groups_of(asked, list(Dimension), limit=99, domains=99)
        for by in Dimension:
            of = replace(asked, by=by, domain="" if by == Dimension.DOMAIN else asked.domain)
            one_by_one = {key: sums for (_, key), sums in read_sums(of, overview.OF_GROUPS).items()}
            assert groups.by.get(by, {}) == one_by_one
        load = overview.load_by_hour(asked)
        assert sum(load.values()) == course.now["opened"]


def test_a_domain_and_one_dimension_narrow_the_figures_together(world):
    live_through(world, bodies(20))
    asked = question(world, domain="returns", only=(Dimension.RISK, "high"))
    expected = brute.grouped(
        brute.facts(world.tenant, db_now()),
        world.tenant.time_zone,
        period=None,
        by=None,
        keep=lambda one: one.keys["domain"] == ["returns"] and one.keys["risk"] == ["high"],
    )[None, None]
    for figure in figures(asked, ("escalation_rate", "override_rate", "average_handling_time")):
        assert figure.value == brute.quotient(expected[figure.metric.name])
    assert expected["escalation_rate"][1] == 4


@pytest.mark.timeout(600)
@real.needed
def test_metrics_of_replayed_model_output_equal_a_count_by_hand(world):
    live_through(world, [record for name in real.RECORDS for record in real.records(name, LINES)])
    facts = brute.facts(world.tenant, db_now())
    for by in EVERYTHING:
        assert_equal(world, facts, None, by)
    assert assert_equal(world, facts, Period.WEEK, Dimension.DOMAIN) > 3


def test_the_list_behind_a_number_has_as_many_cases_as_the_number_says(world):
    live_through(world, bodies(26))
    counted = 0
    for asked in (question(world), question(world, only=(Dimension.TRIGGER, "no_draft")), question(world, days=10)):
        for figure in figures(asked, [name for name in BY_METRIC if name in available(asked) and name != "queue_age"]):
            for part, number in (("above", figure.above), ("below", figure.below)):
                measures = measures_behind(figure.metric, part)
                weighs = figure.metric.name == "automatic_approval_error"
                is_mean = part == "above" and measures == figure.metric.below
                if not weighs and not is_mean and figure.metric.name != "repeat_escalation_reasons":
                    assert len(all_behind(asked, measures)) == number, (figure, part)
                    counted += 1
    assert counted > 40


def test_the_list_goes_further_back_than_sums_that_promise_too_much(world, monkeypatch):
    now = db_now()
    for days in range(9):
        with pretend_now(now - timedelta(days=days, hours=1)):
            world.submit(risk_level="low", signals=None)
    rollups.refresh()
    monkeypatch.setattr("feedback.metrics.behind.SHOWN", 3)
    newest, _ = facts_behind(question(world), ("opened",))
    for fact in newest:
        lifecycle.withdraw(fact.case.pk, actor=world.service)
    assert len(all_behind(question(world), ("opened",))) == 6
    assert all_behind(question(world), ("withdrawn",)) == []  # The sums do not say so yet, and neither does the list.
    rollups.refresh()
    assert {fact.case for fact in all_behind(question(world), ("withdrawn",))} == {fact.case for fact in newest}


def all_behind(asked: Question, measures, **how) -> list:
    found, more = facts_behind(asked, measures, **how)
    while more:
        page, more = facts_behind(asked, measures, after=found[-1].cursor, **how)
        found += page
    assert len({fact.cursor for fact in found}) == len(found)
    return found


def test_pages_of_the_list_go_on_where_the_last_ended(world, monkeypatch):
    live_through(world, bodies(12))
    monkeypatch.setattr("feedback.metrics.behind.SHOWN", 5)
    monkeypatch.setattr("feedback.metrics.holding.DAYS_AT_ONCE", 2)
    asked = question(world)
    sums = read_sums(asked)[None, None]
    assert sums["opened"] == 12
    for measure in ("opened", "escalated", "handled", "sla_missed", "scored"):
        found = all_behind(asked, (measure,))
        assert len(found) == sums[measure], measure
        assert found == sorted(found, key=lambda fact: (fact.at, (fact.review or fact.case).pk), reverse=True)
    by_people = all_behind(asked, ("approved", "rejected"), less=("automatic",))
    assert len(by_people) == sums["approved"] + sums["rejected"] - sums["automatic"] > 0
    for slot, n in overview.load_by_hour(asked).items():
        assert len(all_behind(asked, ("opened",), slot=slot)) == n
    for bad in ("x", "2027-01-01T00:00:00_y", "_"):
        with pytest.raises(BadQuestion):
            facts_behind(question(world), ("opened",), after=bad)


def test_the_age_of_the_queue_is_that_of_what_waits_now(world):
    now = db_now()
    for hours in (1, 2, 30):
        with pretend_now(now - timedelta(hours=hours)):
            world.submit(domain="returns" if hours > 9 else "billing", risk_level="low")
    with pretend_now(now):
        (age,) = figures(question(world), ["queue_age"])
        by = {figure.key: figure for figure in figures(question(world, by=Dimension.DOMAIN), ["queue_age"])}
    assert (age.value, age.below, age.p50, age.p90) == (Fraction(33 * 3600, 3), 3, 7200, 30 * 3600)
    assert {key: (figure.above, figure.below) for key, figure in by.items()} == {
        "billing": (3 * 3600, 2),
        "returns": (30 * 3600, 1),
    }


def test_what_is_not_kept_is_refused_and_not_guessed(world):
    refused = [
        lambda: question(world, by=Dimension.RISK, only=(Dimension.QUEUE, "x")),
        lambda: question(world, days=400),
        lambda: question(world, days=-2),
        lambda: figures(question(world, by=Dimension.RISK), ["repeat_escalation_reasons"]),
        lambda: figures(question(world, period=Period.DAY), ["queue_age"]),
        lambda: measures_behind(BY_METRIC["queue_age"], "below"),
    ]
    for ask in refused:
        with pytest.raises(BadQuestion):
            ask()


def test_another_tenants_facts_are_in_no_figure_and_no_list(world):
    other = make_world("other", undo_seconds=0)
    other.submit()
    rollups.refresh()
    assert {figure.below for figure in figures(question(world), ["escalation_rate"])} == {0}
    assert facts_behind(question(world), ("opened",)) == ([], False)
