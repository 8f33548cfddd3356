"""Erasing a customer: what goes, what stays, what is in the way."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.errors import InFlight
from cases.models import (
    Case,
    CaseEvent,
    Content,
    Delivery,
    ErasureReceipt,
    IdempotencyKey,
    RetentionRule,
    WebhookEndpoint,
)
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import erasure, holds, lifecycle, retention, satisfaction
from cases.services.subjects import Subject, SubjectUnclear
from cases.services.switch import ReasonMissing
from cases.signing import new_secret
from cases.states import State
from feedback.services import reviews
from feedback.submission import Submission
from queues.services import claims
from tests.callers import Caller
from tests.cases.erasing import EMAIL, PERSON, REFERENCE, erase, held_texts
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
LONG = timedelta(days=400)


def ended(world, **fields):
    case = world.submit(**PERSON | fields)
    return lifecycle.withdraw(case.pk, actor=world.service, reason="Wombatzeug")


def preview(world, **by):
    return erasure.preview(Subject(world.tenant, **by or {"reference": REFERENCE}), actor=world.compliance)


def test_an_erased_customer_has_no_text_and_the_case_keeps_its_state():
    world = make_world()
    case = ended(world)
    receipt = erase(world)
    assert held_texts(case) == 0
    case = Case.objects.get(pk=case.pk)
    assert case.state == State.WITHDRAWN and case.resume_token == ""
    assert receipt.counts["cases"] == 1 and receipt.counts["case_texts"] == 1 and receipt.counts["draft_texts"] == 1
    assert (receipt.by, receipt.reason) == (world.compliance, "asked by letter")


def test_the_timeline_says_who_erased_it_and_which_receipt_tells_more():
    world = make_world()
    case = ended(world)
    receipt = erase(world)
    event = case.events.get(kind=CaseEvent.Kind.ERASED)
    assert (event.actor, event.subject, event.is_public) == (world.compliance, receipt.wire_id, False)


def test_others_keep_their_texts_those_of_another_tenant_with_the_same_reference_too():
    world, other = make_world("one"), make_world("other")
    ended(world)
    neighbour = ended(world, customer={"reference": "somebody-else"})
    namesake = ended(other)
    erase(world)
    assert held_texts(neighbour) == 3 and held_texts(namesake) == 3


def test_a_customer_is_found_by_address_whatever_its_case_and_not_by_what_others_write():
    world = make_world()
    case = ended(world, customer={"email": EMAIL})
    about = ended(world, customer={"email": "other@numbat.example"}, user_question=f"My friend {EMAIL} …")
    erase(world, email=EMAIL.upper())
    assert held_texts(case) == 0 and held_texts(about) == 3


def test_the_preview_of_an_address_counts_other_cases_under_the_same_reference():
    world = make_world()
    ended(world)
    ended(world, customer={"reference": REFERENCE})
    found = preview(world, email=EMAIL)
    assert (found.cases, found.others) == (1, 1)
    assert preview(world).cases == 2


def test_a_preview_changes_nothing_and_agrees_with_the_receipt():
    world = make_world()
    case = ended(world)
    found = preview(world)
    assert held_texts(case) == 3 and not ErasureReceipt.objects.exists()
    counts = erase(world).counts
    assert {name: count for name, count in found.counts.items() if count} == counts


def test_an_open_case_is_in_the_way_and_nothing_is_erased_by_halves():
    world = make_world()
    done, waiting = ended(world), world.submit(**PERSON)
    assert preview(world).open_cases == 1
    with pytest.raises(erasure.InTheWay, match="open") as refused:
        erase(world)
    assert waiting.wire_id in refused.value.message
    assert held_texts(done) == 3 and not ErasureReceipt.objects.exists()


def test_open_cases_are_withdrawn_first_by_who_may_withdraw():
    world = make_world()
    case = world.submit(**PERSON)
    with pytest.raises(Denied):
        erase(world, close=True)
    erase(world, close=True, actor=system_actor())
    assert Case.objects.get(pk=case.pk).state == State.WITHDRAWN and held_texts(case) == 0


def test_a_decision_that_can_still_be_undone_is_in_the_way():
    world = make_world()
    case = world.submit(**PERSON | {"signals": {}})
    entry = claims.claim(case, world.reviewer)
    said = Submission("edit", final_answer="Kakapoantwort", notes="n", no_evidence_applies=True)
    reviews.submit(case.pk, said, actor=world.reviewer, generation=entry.generation)
    with pytest.raises(erasure.InTheWay, match="undone"):
        erase(world)
    with pretend_now(db_now() + timedelta(minutes=1)):
        assert erase(world).counts["review_texts"] == 1
    assert held_texts(case) == 0


def test_a_hold_on_the_case_or_on_the_customer_wins_until_it_is_released():
    world = make_world()
    case = ended(world)
    for held in ({"case": case}, {"reference": REFERENCE}):
        hold = holds.place(world.tenant, reason="claim 12 C 34", actor=world.compliance, **held)
        assert preview(world).is_held
        with pytest.raises(erasure.InTheWay, match="hold"):
            erase(world, actor=system_actor(), close=True)
        holds.release(hold.pk, reason="settled", actor=world.compliance)
    assert held_texts(case) == 3
    erase(world)
    assert held_texts(case) == 0
    assert [row.history_change_reason for row in hold.history.all()] == ["settled", "claim 12 C 34"]


def test_a_hold_needs_one_thing_of_this_tenant_to_stand_on():
    world, other = make_world("one"), make_world("other")
    theirs = ended(other)
    for wrong in ({}, {"case": theirs}, {"case": ended(world), "reference": REFERENCE}):
        with pytest.raises(holds.HoldInvalid):
            holds.place(world.tenant, reason="r", actor=world.compliance, **wrong)
    with pytest.raises(Denied):
        holds.place(world.tenant, case=ended(world), reason="r", actor=other.compliance)


def test_who_may_not_erase_is_refused_and_neither_tenants_nor_reasons_are_guessed():
    world, other = make_world("one"), make_world("other")
    ended(world)
    for actor in (world.reviewer, world.supervisor, world.service, other.compliance):
        with pytest.raises(Denied):
            erase(world, actor=actor)
    with pytest.raises(ReasonMissing):
        erase(world, reason=" ")
    for wrong in ({}, {"reference": "a", "email": "b"}):
        with pytest.raises(SubjectUnclear):
            Subject(world.tenant, **wrong)


def test_a_message_that_is_being_sent_is_waited_for():
    world = make_world()
    endpoint = WebhookEndpoint(tenant=world.tenant, url="https://receiver.example/hook", secret=new_secret())
    endpoint.save_as(system_actor(), "created")
    case = ended(world)
    Delivery.objects.filter(event__case=case).update(leased_until=db_now() + timedelta(seconds=30))
    with pytest.raises(InFlight, match="minute"):
        erase(world)
    assert held_texts(case) == 3
    Delivery.objects.update(leased_until=None)
    erase(world)


def test_text_that_is_written_for_an_erased_case_is_emptied():
    world = make_world()
    case = ended(world)
    stale = Content.objects.get(pk=case.content_id)
    erase(world)
    stale.save()
    reviews.keep_text(case.pk, Submission("edit", final_answer="Kakapoantwort"), actor=world.reviewer)
    assert held_texts(case) == 0
    assert Content.objects.filter(case_id=case.pk, erased_at=None).count() == 0


def test_an_erased_case_is_not_opened_again():
    world = make_world()
    case = ended(world, signals={})
    erase(world)
    with pytest.raises(lifecycle.TextsErased):
        lifecycle.reopen(case.pk, actor=world.supervisor, reason="r")


def test_the_same_intake_again_is_a_conflict_and_brings_nothing_back():
    world = make_world()
    client = Caller(world.service, world.tenant)
    body = {"domain": "billing", "user_question": "Quetzalwort", "external_id": "conv-1"}
    body |= {"customer": {"reference": REFERENCE}}
    assert client.post("cases/", body).status_code == 201
    erase(world, close=True, actor=system_actor())
    assert client.post("cases/", body).status_code == 409
    answer = client.get("cases/").json()["results"][0]
    assert answer["erased_at"] and answer["user_question"] is None and answer["customer"] is None


def test_an_answer_kept_under_an_idempotency_key_loses_its_text_and_keeps_its_key():
    world = make_world()
    client = Caller(world.service, world.tenant)
    body = {"domain": "billing", "user_question": "q", "limited_answer": "Quetzalwort"}
    body |= {"customer": {"reference": REFERENCE}}
    headers = {"Idempotency_Key": "k-1"}
    first = client.post("cases/", body, **headers)
    assert first.json()["interim_answer"] == "Quetzalwort"
    assert erase(world, close=True, actor=system_actor()).counts["kept_answers"] == 1
    again = client.post("cases/", body, **headers)
    assert again.status_code == 201 and set(again.json()) == {"erased_at"}
    assert "Quetzalwort" not in str(IdempotencyKey.objects.get().body)


def test_a_receipt_names_nobody_and_knows_the_same_request_again():
    world = make_world()
    ended(world)
    first, second = erase(world), erase(world)
    assert first.subject == second.subject and len(first.subject) == 64
    assert second.counts == {"cases": 0} or not any(second.counts.values())
    key = Subject(world.tenant, reference=REFERENCE).key.hex()
    assert first.subject != key and REFERENCE not in f"{first.counts}{first.to_act_on}{first.subject}"


def test_a_name_in_a_callers_id_stays_in_sealed_rows_and_is_reported():
    world = make_world()
    ended(world, external_id=f"chat-{EMAIL.lower()}")
    ended(world, tags=[REFERENCE], external_id="x-2")
    assert preview(world).named_in_references == 2
    assert erase(world).counts["named_in_references"] == 2


# --- periods ----------------------------------------------------------------------------------------------------------


def rule(world, days: int) -> RetentionRule:
    made = RetentionRule(tenant=world.tenant, case_days=days)
    made.save_as(system_actor(), "decided by the board")
    return made


def test_texts_go_when_their_period_is_over_and_not_before():
    world = make_world()
    old, kept = ended(world), rule(world, 365)
    assert retention.count(kept) == 0
    with pretend_now(db_now() + LONG):
        young = ended(world)
        assert retention.count(kept) == 1
        assert retention.run(kept) == 1
        assert held_texts(old) == 0 and held_texts(young) == 3
        receipt = ErasureReceipt.objects.get()
        assert (receipt.cause, receipt.subject, receipt.reason) == ("period", "", "texts are kept for 365 days")
        assert retention.run(kept) == 0


def test_without_a_period_everything_is_kept():
    world = make_world()
    old = ended(world)
    rule(world, 0)
    with pretend_now(db_now() + LONG):
        assert retention.sweep(seconds=10) == 0
    assert held_texts(old) == 3


def test_open_cases_late_events_and_holds_outlast_the_period():
    world = make_world()
    cases = [ended(world, customer={"reference": f"c-{n}"}) for n in range(4)]
    waiting = world.submit(**PERSON)
    holds.place(world.tenant, case=cases[1], reason="r", actor=world.compliance)
    holds.place(world.tenant, reference="c-2", reason="r", actor=world.compliance)
    with pretend_now(db_now() + LONG):
        satisfaction.report(cases[0].pk, score=4, actor=world.service)
        assert retention.run(rule(world, 365)) == 1
    assert [held_texts(case) for case in cases] == [3, 3, 3, 0] and held_texts(waiting) == 2


def test_batches_reach_the_end_past_what_cannot_be_erased(monkeypatch):
    world = make_world()
    monkeypatch.setattr(retention, "BATCH", 2)
    cases = [ended(world, customer={"reference": f"c-{n}"}) for n in range(5)]
    holds.place(world.tenant, case=cases[0], reason="r", actor=world.compliance)
    told = []
    with pretend_now(db_now() + LONG):
        assert retention.run(rule(world, 30), progress=told.append) == 4
    assert told == [2, 2]
