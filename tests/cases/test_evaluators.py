"""Signals that are computed here: ours replaces the caller's; what is late or fails is missing and not waited for."""

import threading
import time

import pytest
from django.test import Client

from cases.checks import evaluators_are_callables
from cases.clock import db_now
from cases.evaluations import claimed_signals
from cases.models import EvaluationCount
from cases.services import evaluating, evaluation_counts, selftest
from cases.wire.intake import parse_intake
from tests.callers import Caller
from tests.cases import evaluators
from tests.worlds import DRAFT, QUESTION, SURE, make_world

pytestmark = pytest.mark.django_db
GROUNDED = "answer_groundedness"
BODY = {"domain": "billing", "user_question": QUESTION, "model_draft": DRAFT, "signals": SURE}


@pytest.fixture
def named(settings):
    """Names the evaluators of this test, with a short deadline; threads are those of a process that has just begun."""

    def name(seconds: float = 0.5, threads: int = 4, **by_signal: str) -> None:
        settings.SIGNAL_EVALUATORS = {
            signal: path if "." in path else f"tests.cases.evaluators.{path}" for signal, path in by_signal.items()
        }
        settings.SIGNAL_EVALUATION_SECONDS, settings.SIGNAL_EVALUATOR_THREADS = seconds, threads

    evaluators.CALLS.clear()
    evaluators.HELD.clear()
    evaluating._pools.cache_clear()
    evaluation_counts.tally.forget()
    yield name
    evaluators.HELD.set()


def contribution(draft) -> dict:
    return next(one for one in draft.contributions if one["signal"] == GROUNDED)


def counted() -> dict[str, int]:
    return {status: n for one in evaluation_counts.recent(db_now()) for status, n in one.by_status.items() if n}


def test_nobody_evaluates_where_nothing_is_named():
    draft = make_world().submit(signals=SURE).current_draft
    assert draft.evaluations == {} and draft.signals == SURE
    assert "source" not in contribution(draft)


def test_our_value_counts_and_the_callers_is_kept_as_a_claim(named):
    named(answer_groundedness="fair")
    world = make_world()
    draft = world.submit(signals=SURE).current_draft
    assert draft.signals == SURE | {GROUNDED: 0.41}
    assert draft.evaluations == {GROUNDED: {"status": "measured", "value": 0.41, "claimed": 0.99}}
    assert draft.route == "quick_review"  # What the caller claims would have passed by itself.
    kept = contribution(draft)
    assert (kept["value"], kept["claimed"], kept["source"], kept["reading"]) == (0.41, 0.99, "measured", "weak")
    assert counted() == {"measured": 1}


def test_what_the_caller_sent_can_be_told_from_what_is_stored(named):
    named(answer_groundedness="fair", judge_score="nothing")
    world = make_world()
    some = {name: value for name, value in SURE.items() if name != GROUNDED}
    for sent in (SURE, some, {}):
        draft = world.submit(signals=sent).current_draft
        assert claimed_signals(draft.signals, draft.evaluations) == sent


@pytest.mark.parametrize(
    ("path", "status", "reading"),
    [
        ("nothing", "nothing", "missing"),
        ("fail", "failed", "failed"),
        ("absurd", "failed", "failed"),
        ("leave", "failed", "failed"),
        ("hang", "late", "late"),
    ],
)
def test_what_gives_no_value_is_missing_whatever_is_claimed(named, path, status, reading):
    named(answer_groundedness=path, seconds=0.2)
    world = make_world()
    before = time.monotonic()
    draft = world.submit(signals=SURE).current_draft
    assert time.monotonic() - before < 5
    assert GROUNDED not in draft.signals and draft.route != "auto_approve"
    assert draft.evaluations[GROUNDED] == {"status": status, "value": None, "claimed": 0.99}
    assert (contribution(draft)["value"], contribution(draft)["reading"]) == (None, reading)
    assert counted() == {status: 1}


def test_the_switchs_test_of_itself_is_nothing_to_evaluate(named):
    named(answer_groundedness="hang")
    make_world()
    assert selftest.run().finding == "A probe passed by itself, and after the stop one went to people."


def test_a_required_signal_whose_evaluator_fails_is_named(named):
    named(answer_groundedness="fail")
    rules = {"signals": {GROUNDED: {"weight": 1, "use": "required"}}}
    draft = make_world(rules=rules).submit(signals=SURE).current_draft
    assert "missing_signals" in draft.triggers


def test_a_new_draft_is_evaluated_like_the_first(named):
    world = make_world()
    case = world.submit()
    named(answer_groundedness="cases.groundedness.evaluate")
    body = {"model_draft": "Returned within 30 days.", "evidence": [{"document_id": "r", "quote": "within 30 days"}]}
    response = Caller(world.service, world.tenant).post(f"cases/{case.wire_id}/drafts/", body)
    assert response.status_code == 201, response.content
    found = next(one for one in response.json()["contributions"] if one["signal"] == GROUNDED)
    assert (found["value"], found["claimed"], found["source"]) == (0.8, None, "measured")


def test_a_keyed_request_is_evaluated_once_and_its_repetition_not_at_all(named):
    named(answer_groundedness="fair")
    world = make_world()
    caller = Caller(world.service, world.tenant)
    first, again = (caller.post("cases/", BODY, Idempotency_Key="one") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() and again["Idempotency-Replayed"] == "true"
    assert evaluators.CALLS == [QUESTION]
    other = caller.post("cases/", BODY | {"domain": ""}, Idempotency_Key="one")
    assert other.status_code == 422  # The key is asked before the body is.


def test_another_tenants_name_is_refused_before_anything_is_evaluated(named):
    named(answer_groundedness="fair")
    make_world("zeta")
    world = make_world()
    body = BODY | {"tenant_id": "zeta"}
    assert Caller(world.service, world.tenant).post("cases/", body).status_code == 404
    assert evaluators.CALLS == []


def test_in_a_bulk_one_slow_case_misses_its_own_signal_alone(named):
    named(answer_groundedness="slow_now_and_then", seconds=0.02)
    cases = [BODY | {"user_question": "slow" if place == 3 else f"{place}?"} for place in range(30)]
    world = make_world()
    response = Caller(world.service, world.tenant).post("cases/bulk/", {"cases": cases})
    assert response.status_code == 201
    receipts = [result["receipt"] for result in response.json()["results"]]
    late = [
        place
        for place, receipt in enumerate(receipts)
        if any(one["reading"] == "late" for one in receipt["contributions"])
    ]
    assert late == [3]


def test_what_hangs_costs_its_own_threads_and_then_nobody_waits_for_it(named):
    """The threads of one evaluator hang for good; the other goes on, and intake soon loses no time at all."""
    named(answer_groundedness="hang", judge_score="fair", seconds=0.3, threads=2)
    intake = parse_intake(BODY)
    for _ in range(2):
        (found,) = evaluating.evaluated([intake])
        assert found.evaluations[GROUNDED].status == "late"
        assert found.evaluations["judge_score"].value == 0.41
    before = time.monotonic()
    for _ in range(50):
        (found,) = evaluating.evaluated([intake])
        assert found.evaluations[GROUNDED].status == "late"
    assert time.monotonic() - before < 10  # Each would have waited 0.3 s: 15 s.
    pool = evaluating.evaluators()[GROUNDED]
    assert (pool.size, pool.hanging) == (2, 2)
    assert sum(one.name.startswith(f"evaluator-{GROUNDED}") for one in threading.enumerate()) >= 2
    evaluators.HELD.set()
    _until(lambda: pool.hanging == 0)
    (found,) = evaluating.evaluated([intake])
    assert found.evaluations[GROUNDED].value == 1.0


def test_many_requests_at_once_start_no_further_threads(named):
    named(answer_groundedness="hang", seconds=0.05, threads=2)
    intake = parse_intake(BODY)
    pool = evaluating.evaluators()[GROUNDED]
    asking = [threading.Thread(target=lambda: pool.ask([intake.values] * 20).wait_until(0)) for _ in range(20)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert pool.size == 2
    assert not pool._waiting  # What was given up is out of the line.


def test_health_and_prometheus_say_how_evaluators_do(named, settings):
    named(answer_groundedness="fail")
    make_world().submit(signals=SURE)
    body = Client().get("/health/").json()
    assert body["figures"]["evaluations_late_or_failed"] == 1
    assert any(GROUNDED in caution for caution in body["cautions"])
    settings.METRICS_TOKEN = "t"
    text = Client().get("/metrics", headers={"Authorization": "Bearer t"}).content.decode()
    assert f'countersign_evaluations_last_hour{{signal="{GROUNDED}",status="failed"}} 1' in text


def test_counts_are_added_up_and_old_ones_go(named):
    evaluation_counts.count({GROUNDED: ["measured", "late"]})
    evaluation_counts.count({GROUNDED: ["measured"]})  # Too soon after the last: kept in memory.
    assert counted() == {"measured": 1, "late": 1}
    evaluation_counts.tally._written = float("-inf")
    evaluation_counts.count({GROUNDED: ["failed"]})
    assert counted() == {"measured": 2, "late": 1, "failed": 1}
    EvaluationCount.objects.update(slot=db_now() - 2 * evaluation_counts.KEPT)
    assert evaluation_counts.purge() == 1 and counted() == {}


@pytest.mark.parametrize(
    ("signal", "path", "problems"),
    [
        (GROUNDED, "cases.groundedness.evaluate", 0),
        ("loudness", "cases.groundedness.evaluate", 1),
        (GROUNDED, "cases.groundedness.nothing_there", 1),
        (GROUNDED, "tests.cases.evaluators.not_callable", 1),
        (GROUNDED, "evaluate", 1),
    ],
)
def test_a_wrong_name_is_found_by_every_command(settings, signal, path, problems):
    settings.SIGNAL_EVALUATORS = {signal: path}
    assert len(evaluators_are_callables(None)) == problems


def _until(holds, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)
