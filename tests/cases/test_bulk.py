"""Bulk intake: up to a thousand cases in one request, all of them or none."""

import json
import random
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.models import ProposedAction
from cases.clock import db_now
from cases.models import Case, CaseEvent, Content, Delivery, Denial, Draft, Release, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import people, switch
from cases.vocabulary import Role
from queues.models import Entry
from tests.callers import Caller
from tests.threads import failures, in_parallel
from tests.worlds import DRAFT, FAIR, QUESTION, SURE, WEAK, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
ACTION = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "42.00", "currency": "USD"}


@pytest.fixture
def world(db):
    return make_world(rules=CALM)


@pytest.fixture
def caller(world):
    return Caller(world.service, world.tenant)


def payload(**fields):
    return {"domain": "billing", "user_question": QUESTION, "model_draft": DRAFT, "signals": FAIR} | fields


def send(caller, *cases, **headers):
    return caller.post("cases/bulk/", {"cases": list(cases)}, **headers)


def refusals(response):
    assert response.status_code == 400, response.content
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


# --- what comes of it --------------------------------------------------------------------------------------------


def test_each_case_gets_its_result_in_its_place(caller):
    answer = send(caller, payload(signals=SURE), payload(signals=FAIR), payload(signals=WEAK, external_id="conv-3"))
    assert answer.status_code == 201
    results = answer.json()["results"]
    assert [result["result"] for result in results] == ["created"] * 3
    assert [result["receipt"]["route"] for result in results] == ["auto_approve", "quick_review", "full_investigation"]
    assert [result["external_id"] for result in results] == [None, None, "conv-3"]
    for result in results:
        assert result["case_id"] == result["receipt"]["case_id"]
        assert caller.get(f"cases/{result['case_id']}/").json()["state"] == result["receipt"]["state"]


def test_the_cases_of_a_bulk_are_listed_in_the_order_in_which_they_were_sent(caller):
    results = send(caller, *(payload(external_id=f"c-{i}") for i in random.sample(range(40), 40))).json()["results"]
    listed = caller.get("cases/", limit=40).json()["results"]
    assert [case["case_id"] for case in reversed(listed)] == [result["case_id"] for result in results]


def facts_of(case):
    """All that intake wrote about ``case``, without ids, times and salts."""
    draft, content = case.current_draft, case.content
    history = case.history.get()
    entry = Entry.objects.filter(case=case).first()
    return {
        "case": {
            field.name: getattr(case, field.attname)
            for field in Case._meta.concrete_fields
            if field.name not in {"id", "external_id", "intake_digest", "content", "current_draft", "opened_at"}
            and not field.name.endswith("_at")
        },
        "draft": {
            field.name: getattr(draft, field.attname)
            for field in Draft._meta.concrete_fields
            if field.name not in {"id", "case", "content", "content_digest", "created_at"}
        },
        "texts": [content.body, bytes(content.customer_key), draft.content.body, draft.content.search_text],
        "history": [history.history_type, history.history_change_reason, history.history_user_id, history.state],
        "history_request": bool(history.request_id),
        "events": [
            (event.kind, event.actor_id, event.data, bool(event.request_id), bool(event.subject))
            for event in case.events.order_by("id")
        ],
        "deliveries": sorted(Delivery.objects.filter(event__case=case).values_list("event__kind", "state", "is_held")),
        "entry": entry and [entry.queue_id, entry.queue_reason, entry.priority, entry.route, entry.breached_at is None],
        "actions": list(case.actions.values_list("name", "impact", "required_approvals", "state", "amount")),
        "action_history": ProposedAction.history.filter(case=case).count(),
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"signals": SURE},
        {"signals": FAIR, "tags": ["beta"], "release": {"model": "m", "version": "2"}},
        {"signals": WEAK, "model_draft": None, "risk_level": "high"},
        {"signals": SURE, "proposed_action": ACTION},
        {"signals": WEAK, "sla_deadline": "2020-01-01T00:00:00Z"},
    ],
)
def test_a_case_of_a_bulk_is_stored_exactly_as_one_that_came_alone(world, caller, fields):
    WebhookEndpoint(tenant=world.tenant, url="https://hooks.example/", secret="whsec_x").save_as(system_actor())
    sent = payload(customer={"reference": "cust_1"}, **fields)
    alone = caller.post("cases/", sent)
    together = send(caller, payload(), sent, payload(signals=SURE))
    assert alone.status_code == together.status_code == 201
    receipt = together.json()["results"][1]["receipt"]
    unlike = {"case_id", "action_id", "status_url", "review_url", "sla_deadline", "customer_message"}
    assert {k: v for k, v in receipt.items() if k not in unlike} == {
        k: v for k, v in alone.json().items() if k not in unlike
    }
    one, other = (Case.objects.get(pk=answer["case_id"].partition("_")[2]) for answer in (alone.json(), receipt))
    assert facts_of(one) == facts_of(other)


def test_a_sampled_automatic_approval_gets_its_second_look(world):
    other = make_world("sampled", rules={"new_release_reviews": 0, "sampling_share": 1.0})
    results = send(Caller(other.service, other.tenant), payload(signals=SURE), payload(signals=FAIR)).json()["results"]
    assert [result["receipt"]["state"] for result in results] == ["auto_approved", "pending_review"]
    assert results[0]["receipt"]["queue"] is None
    assert list(Entry.objects.order_by("priority").values_list("kind", flat=True)) == ["audit", "review"]


def test_a_stopped_switch_sends_the_whole_bulk_to_people(world, caller):
    switch.stop(switch.Scope(world.tenant, domain="billing"), actor=world.supervisor, reason="wrong prices")
    results = send(caller, payload(signals=SURE), payload(signals=SURE, domain="shipping")).json()["results"]
    assert [result["receipt"]["state"] for result in results] == ["pending_review", "auto_approved"]


def test_a_release_that_many_cases_name_is_stored_once(caller):
    named = {"release": {"model": "gpt", "version": "7"}}
    assert send(caller, *(payload(**named) for _ in range(5)), payload()).status_code == 201
    assert Release.objects.count() == 2


# --- duplicates --------------------------------------------------------------------------------------------------


def test_a_known_case_is_a_duplicate_and_keeps_its_id(caller):
    first = caller.post("cases/", payload(external_id="conv-1")).json()
    results = send(caller, payload(external_id="conv-2"), payload(external_id="conv-1")).json()["results"]
    assert [result["result"] for result in results] == ["created", "duplicate"]
    assert (results[1]["case_id"], results[1]["receipt"]) == (first["case_id"], None)
    assert caller.get(results[1]["status_url"].partition("/api/v1/")[2]).status_code == 200
    assert Case.objects.count() == 2


def test_the_same_case_twice_in_one_bulk_is_taken_in_once(caller):
    twin = payload(external_id="conv-1")
    results = send(caller, twin, payload(), json.loads(json.dumps(twin))).json()["results"]
    assert [result["result"] for result in results] == ["created", "created", "duplicate"]
    assert results[0]["case_id"] == results[2]["case_id"]
    assert Case.objects.count() == 2


def test_another_body_under_a_known_external_id_is_refused_wherever_it_stands(caller):
    caller.post("cases/", payload(external_id="old"))
    answer = send(
        caller,
        payload(external_id="new"),
        payload(external_id="old", domain="shipping"),
        payload(),
        payload(external_id="new", domain="shipping"),
    )
    assert refusals(answer) == [
        ("/cases/1/external_id", "external_id_taken"),
        ("/cases/3/external_id", "external_id_taken"),
    ]
    assert Case.objects.count() == 1


def test_a_whole_bulk_sent_again_is_all_duplicates(caller):
    cases = [payload(external_id=f"c-{i}") for i in range(20)]
    first, again = send(caller, *cases).json()["results"], send(caller, *cases).json()["results"]
    assert {result["result"] for result in again} == {"duplicate"}
    assert [result["case_id"] for result in again] == [result["case_id"] for result in first]


def test_an_idempotency_key_replays_the_whole_answer(caller):
    cases = [payload(), payload(signals=WEAK)]
    first, again = send(caller, *cases, Idempotency_Key="k-1"), send(caller, *cases, Idempotency_Key="k-1")
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Case.objects.count() == 2
    assert send(caller, payload(), Idempotency_Key="k-1").status_code == 422


# --- refusals: nothing is stored by halves -----------------------------------------------------------------------


def test_every_bad_case_is_named_and_nothing_is_stored(caller):
    answer = send(
        caller,
        payload(),
        payload(domain="No such name"),
        {"domain": "billing"},
        payload(case_id="mine"),
        payload(signals={"judge_score": 2}),
    )
    assert [pointer for pointer, _ in refusals(answer)] == [
        "/cases/1/domain",
        "/cases/2/user_question",
        "/cases/3/case_id",
        "/cases/4/signals/judge_score",
    ]
    assert (Case.objects.count(), Content.objects.count(), CaseEvent.objects.filter(case__isnull=False).count()) == (
        0,
        0,
        0,
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/cases"),
        ({"cases": []}, "/cases"),
        ({"cases": {}}, "/cases"),
        ({"cases": [payload()], "more": 1}, "/more"),
        ({"cases": [payload(), 7]}, "/cases/1"),
        ([payload()], ""),
    ],
)
def test_a_body_of_another_shape_is_refused(caller, body, pointer):
    assert [at for at, _ in refusals(caller.post("cases/bulk/", body))] == [pointer]


def test_a_thousand_and_one_are_too_many(caller):
    assert [at for at, _ in refusals(send(caller, *[payload()] * 1001))] == ["/cases"]
    assert Case.objects.count() == 0


def test_a_body_of_more_than_eight_megabytes_is_too_large(caller):
    answer = send(caller, *[payload(reasoning="x" * 190_000) for _ in range(45)])
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_no_case_is_larger_in_a_bulk_than_it_may_be_alone(caller):
    large = payload(evidence=[{"document_id": f"d{i}", "quote": "é" * 100_000} for i in range(6)])
    assert caller.post("cases/", large).status_code == 413
    assert refusals(send(caller, payload(), large)) == [("/cases/1", "body_too_large")]


def test_a_bulk_may_be_larger_than_one_case(caller):
    answer = send(caller, *[payload(reasoning="x" * 150_000) for _ in range(10)])
    assert answer.status_code == 201


# --- who may, and where ------------------------------------------------------------------------------------------


def test_another_tenant_is_as_unknown_as_none_at_all(world, caller):
    other = make_world("other")
    theirs = send(caller, payload(), payload(tenant_id=other.tenant.slug))
    nobodys = send(caller, payload(), payload(tenant_id="nobody"))
    assert theirs.status_code == nobodys.status_code == 404
    assert {**theirs.json(), "request_id": ""} == {**nobodys.json(), "request_id": ""}
    assert Case.objects.count() == 0


def test_a_member_of_several_tenants_says_which_and_gets_each_case_there(world, caller):
    other = make_world("other", rules=CALM)
    people.assign_roles(world.service, other.tenant, [Role.INTEGRATION], actor=system_actor())
    unsaid = send(caller, payload(tenant_id="acme"), payload(), payload())
    assert refusals(unsaid) == [("/cases/1/tenant_id", "tenant_missing"), ("/cases/2/tenant_id", "tenant_missing")]
    slugs = ["other", "acme", "other", "acme"]
    results = send(caller, *(payload(tenant_id=slug, external_id="same") for slug in slugs)).json()["results"]
    assert [result["result"] for result in results] == ["created", "created", "duplicate", "duplicate"]
    assert [caller.get(f"cases/{result['case_id']}/").json()["tenant_id"] for result in results] == slugs


def test_clashes_in_several_tenants_are_named_together(world, caller):
    other = make_world("other", rules=CALM)
    people.assign_roles(world.service, other.tenant, [Role.INTEGRATION], actor=system_actor())
    for slug in ("acme", "other"):
        caller.post("cases/", payload(tenant_id=slug, external_id="taken"))
    clash = {"external_id": "taken", "domain": "shipping"}
    answer = send(caller, *(payload(tenant_id=slug, **clash) for slug in ("other", "acme")), payload(tenant_id="acme"))
    assert [at for at, _ in refusals(answer)] == ["/cases/0/external_id", "/cases/1/external_id"]
    assert Case.objects.count() == 2


def test_a_reviewer_may_not_and_the_attempt_is_kept(world):
    answer = send(Caller(world.reviewer, world.tenant), payload())
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    assert Denial.objects.get().permission == "submit_case"


# --- traces ------------------------------------------------------------------------------------------------------

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OWN = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00"


def test_the_trace_of_the_request_is_that_of_its_cases_unless_they_bring_their_own(caller):
    assert send(caller, payload(), payload(traceparent=OWN), traceparent=TRACE).status_code == 201
    assert caller.post("cases/", payload(), traceparent=TRACE).status_code == 201
    assert list(Case.objects.order_by("id").values_list("traceparent", flat=True)) == [TRACE, OWN, TRACE]


@pytest.mark.parametrize("header", ["", "nonsense", TRACE + "-x", TRACE.upper(), f"00-{'0' * 32}-{'1' * 16}-01"])
def test_a_trace_that_cannot_be_read_is_left_aside(caller, header):
    assert caller.post("cases/", payload(), traceparent=header).status_code == 201
    assert Case.objects.get().traceparent == ""


def test_a_retry_under_another_trace_is_the_same_case(caller):
    caller.post("cases/", payload(external_id="c"), traceparent=TRACE)
    assert caller.post("cases/", payload(external_id="c"), traceparent=OWN).status_code == 200
    assert Case.objects.get().traceparent == TRACE


# --- a thousand, and at once -------------------------------------------------------------------------------------


def varied(count, seed=1):
    """Cases of many domains, releases and deadlines; a third of them each automatic, quick and full."""
    dice = random.Random(seed)
    return [
        payload(
            external_id=f"c-{i}",
            domain=f"domain{dice.randrange(12)}",
            signals=(SURE, FAIR, WEAK)[i % 3],
            release={"model": "gpt", "version": f"v{dice.randrange(20)}"},
            customer={"reference": f"cust_{i}"},
            sla_deadline=(db_now() + timedelta(hours=dice.randrange(-1, 3))).isoformat(),
            **({"proposed_action": ACTION | {"action": f"act_{i % 4}"}} if i % 5 == 0 else {}),
        )
        for i in range(count)
    ]


def test_a_thousand_cases_take_as_many_statements_as_twenty(world, caller):
    WebhookEndpoint(tenant=world.tenant, url="https://hooks.example/", secret="whsec_x").save_as(system_actor())
    counts = []
    for count in (20, 1000):
        cases = [case | {"external_id": f"{count}-{i}"} for i, case in enumerate(varied(count))]
        with CaptureQueriesContext(connection) as statements:
            assert send(caller, *cases, Idempotency_Key=f"k-{count}").status_code == 201
        counts.append(len(statements))
    assert counts[1] <= counts[0] <= 60
    assert Case.objects.count() == 1020


@pytest.mark.django_db(transaction=True)
def test_bulks_and_single_cases_that_overlap_make_each_case_once():
    world = make_world(rules=CALM)
    cases = varied(40)
    bulks = [random.Random(seed).sample(cases, 30) for seed in range(6)]
    callers = [Caller(world.service, world.tenant) for _ in range(10)]
    jobs = [lambda caller=caller, bulk=bulk: send(caller, *bulk) for caller, bulk in zip(callers, bulks, strict=False)]
    jobs += [lambda caller=callers[6 + i], case=cases[i]: caller.post("cases/", case) for i in range(4)]
    answers = in_parallel(jobs)
    assert failures(answers) == []
    assert {answer.status_code for answer in answers} <= {200, 201}
    sent = {case["external_id"] for bulk in bulks for case in bulk} | {case["external_id"] for case in cases[:4]}
    assert sorted(Case.objects.values_list("external_id", flat=True)) == sorted(sent)
    assert Draft.objects.count() == Case.objects.count() == CaseEvent.objects.filter(kind="case.opened").count()
    created = [r for answer in answers[:6] for r in answer.json()["results"] if r["result"] == "created"]
    singles = sum(answer.status_code == 201 for answer in answers[6:])
    assert len(created) + singles == len(sent)


@pytest.mark.django_db(transaction=True)
def test_bulks_of_the_same_cases_in_opposite_orders_wait_for_nobody_crosswise():
    world = make_world(rules=CALM)
    cases = varied(20)
    callers = [Caller(world.service, world.tenant) for _ in range(6)]
    for caller in callers:
        caller.post("cases/", payload())  # Everybody knows the way before the race begins.
    for turn in range(2):
        batch = [case | {"external_id": f"{turn}-{case['external_id']}"} for case in cases]
        jobs = [lambda c=caller, b=batch[:: 1 - 2 * (i % 2)]: send(c, *b) for i, caller in enumerate(callers[:4])]
        jobs += [
            lambda c=callers[4 + i], b=batch[:: 1 - 2 * i]: [c.post("cases/", case) for case in b[:5]] for i in range(2)
        ]
        *bulks, forward, backward = in_parallel(jobs)
        assert failures([*bulks, forward, backward]) == []
        singles = [*forward, *backward]
        assert {answer.status_code for answer in (*bulks, *singles)} <= {200, 201}, "no deadlock, and so no 503"
        created = [r for answer in bulks for r in answer.json()["results"] if r["result"] == "created"]
        assert len(created) + sum(answer.status_code == 201 for answer in singles) == len(batch)
