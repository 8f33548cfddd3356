"""A reviewer escalates a case: where it goes, who reads the reason, who is told."""

import pytest

from cases.models import CaseEvent, Notice
from cases.vocabulary import Role
from queues.errors import AsideInvalid, NotClaimed, StaleClaim
from queues.models import Aside, Claim, Entry, Queue, Reviewer
from queues.services.asides import give_back
from queues.services.claims import claim, claim_next, release
from queues.services.deadlines import sweep_deadlines
from queues.services.handing_up import hand_up
from queues.services.setup import create_queue
from tests.cases.test_admin_cases import sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db) -> World:
    return make_world()


@pytest.fixture
def experts(world) -> Queue:
    """Where the general queue escalates to."""
    queue = create_queue(
        world.tenant,
        actor=world.supervisor,
        slug="experts",
        name="Experts",
        domains=["nothing"],
        sla_policy=world.queue.sla_policy,
    )
    world.queue.escalation_target = queue
    world.queue.save_as(world.supervisor, "experts")
    return queue


def escalate(entry: Entry, reason: str = "It smells of fraud"):
    return hand_up(entry.case_id, entry.claimed_by, entry.generation, reason=reason)


def test_an_escalated_case_goes_to_the_queues_target_with_its_deadline_and_the_reason(world, experts):
    case, entry = world.submit(), world.claim()
    assert escalate(entry) == experts
    moved = Entry.objects.get(case=case)
    assert (moved.queue, moved.claimed_by, moved.due_at) == (experts, None, entry.due_at)
    assert moved.priority > entry.priority and "escalated by a reviewer of general" in moved.queue_reason
    assert Claim.objects.get(generation=entry.generation).end == Claim.End.RAISED
    event = case.events.get(kind=CaseEvent.Kind.HANDED_UP)
    assert (event.actor, event.data["to"], event.note.text["note"]) == (
        world.reviewer,
        "experts",
        "It smells of fraud",
    )
    assert not event.is_public
    assert Aside.objects.get().kind == Aside.Kind.HAND_UP
    assert claim_next(world.reviewer) is None, "it is for somebody else first"
    assert claim_next(world.colleague).case_id == case.pk
    sweep_deadlines()
    assert Entry.objects.get().queue == experts


def test_without_a_target_it_goes_to_the_supervisor_at_work_who_has_least(world):
    busy = world.person("ben", Role.SUPERVISOR, reviews=True)
    idle = world.person("ida", Role.SUPERVISOR, reviews=True)
    asleep = world.person("abe", Role.SUPERVISOR, reviews=True)
    Reviewer.objects.filter(user=asleep).update(is_on_shift=False)
    claim(world.submit(), busy)
    case = world.submit()
    assert escalate(claim(case, world.reviewer)) == idle
    assert Entry.objects.get(case=case).kept_for == idle
    assert claim_next(world.colleague) is None
    assert claim_next(idle).case_id == case.pk


def test_without_any_supervisor_who_reviews_it_waits_in_front_for_somebody_else(world):
    first = world.submit()
    world.submit(risk_level="medium")
    last = world.submit()
    assert escalate(claim(last, world.reviewer)) is None
    assert claim_next(world.colleague).case_id == last.pk
    assert claim_next(world.reviewer).case_id == first.pk


def test_the_queues_supervisors_are_told_once_and_not_in_the_cases_words(world, experts):
    world.submit()
    escalate(world.claim(), reason="The customer is Maria Lopez")
    notice = Notice.objects.get(user=world.supervisor)
    assert (notice.kind, "experts" in notice.text, "Maria" in notice.text) == ("case.handed_up", True, False)


def test_a_supervisor_who_escalates_is_not_told_by_themselves(world):
    boss = world.person("ben", Role.SUPERVISOR, reviews=True)
    world.submit()
    assert escalate(world.claim(boss)) is None
    assert set(Notice.objects.values_list("user__username", flat=True)) == {"sue@acme"}


@pytest.mark.parametrize("reason", ["", " \n "])
def test_an_escalation_says_why(world, reason):
    world.submit()
    entry = world.claim()
    with pytest.raises(AsideInvalid):
        escalate(entry, reason)
    assert Entry.objects.get().claimed_by == world.reviewer
    assert not Notice.objects.exists()


def test_a_stale_claim_escalates_nothing(world):
    world.submit()
    entry = world.claim()
    release(entry.case_id, world.reviewer, entry.generation)
    with pytest.raises(StaleClaim):
        escalate(entry)
    with pytest.raises(NotClaimed):
        hand_up(entry.case_id, make_world("other").reviewer, entry.generation, reason="r")
    assert not Aside.objects.exists()


def test_who_has_it_next_reads_on_its_page_who_escalated_it_and_why(world, experts):
    world.submit()
    browser = sign_in(world.reviewer)
    entry = world.claim()
    page = f"/admin/feedback/review/work/{entry.case_id}/"
    assert "It goes to Experts" in browser.get(page).content.decode()
    answer = browser.post(f"{page}aside/escalate/", {"generation": entry.generation, "reason": "<b>Fraud</b>"})
    assert answer["Location"] == "/admin/"
    text = sign_in(world.colleague).get(page).content.decode()
    assert "Escalated by Rita" in text and "&lt;b&gt;Fraud&lt;/b&gt;" in text


# --- giving back with a reason ----------------------------------------------------------------------------------------


def test_a_case_given_back_with_a_reason_keeps_it_for_supervisors(world):
    world.submit()
    entry = world.claim()
    give_back(entry.case_id, world.reviewer, entry.generation, reason="My shift ends")
    assert Aside.objects.get().reason.text["note"] == "My shift ends"
    assert Claim.objects.get().end == Claim.End.RELEASED
    assert "My shift ends" in sign_in(world.supervisor).get(f"/admin/queues/entry/{entry.pk}/change/").content.decode()
    assert claim_next(world.reviewer).case_id == entry.case_id, "a release is no skip"


def test_a_case_is_given_back_without_a_word_too(world):
    world.submit()
    entry = world.claim()
    browser = sign_in(world.reviewer)
    sent = {"generation": entry.generation, "reason": ""}
    assert browser.post(f"/admin/feedback/review/work/{entry.case_id}/aside/release/", sent)["Location"] == "/admin/"
    assert Entry.objects.get().claimed_by is None
    assert not Aside.objects.exists()
