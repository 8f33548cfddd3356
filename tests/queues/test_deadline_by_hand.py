"""A supervisor gives a waiting case another deadline: said, bounded, and honest to the customer."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.errors import Stale
from cases.models import CaseEvent, Promise
from cases.permissions import Denied
from cases.services import intake
from cases.vocabulary import Verdict
from cases.wire.intake import parse_draft
from feedback.metrics.facts import FACTS
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import DeadlineInvalid
from queues.models import Entry, StepFired
from queues.services import claims
from queues.services.deadlines import sweep_deadlines
from queues.services.supervision import FURTHEST, set_deadline
from queues.steps import StepKind
from tests.cases.test_admin_cases import sign_in
from tests.worlds import FAIR, make_world

HOUR = timedelta(hours=1)
STANDARD = [(50, StepKind.WARN), (80, StepKind.NOTIFY), (100, StepKind.ESCALATE)]


@pytest.fixture
def world(db):
    return make_world()


def sweep_after(hours: float) -> int:
    with pretend_now(db_now() + hours * HOUR):
        return sweep_deadlines().missed


def taken(case) -> list[tuple[int, str]]:
    return list(StepFired.objects.filter(case=case).order_by("planned_at", "share", "id").values_list("share", "kind"))


def set_to(world, entry: Entry, due_at, *, actor=None, reason: str = "The customer called", **seen) -> Entry:
    with transaction.atomic():
        return set_deadline(entry.pk, due_at, actor=actor or world.supervisor, reason=reason, **seen)


# --- the rule -----------------------------------------------------------------------------------------------------


def test_another_deadline_has_a_clock_of_its_own(world):
    case = world.submit()
    sweep_after(2.1)
    entry = Entry.objects.get(case=case)
    later = set_to(world, entry, entry.due_at + 4 * HOUR)
    assert later.next_step_at == entry.entered_at + 4 * HOUR
    sweep_after(4.1)
    assert taken(case) == [STANDARD[0], STANDARD[0]]
    set_to(world, entry, entry.entered_at + HOUR)
    sweep_after(1.1)
    assert Counter(taken(case)) == Counter([*STANDARD, STANDARD[0], STANDARD[0]])


def test_it_says_who_changed_it_from_what_to_what_and_why(world):
    case = world.submit()
    entry = Entry.objects.get(case=case)
    due = entry.due_at + HOUR
    set_to(world, entry, due, reason="  The customer called.  ")
    event = case.events.get(kind=CaseEvent.Kind.DEADLINE_SET)
    assert (event.actor, event.note.text["note"], event.is_public) == (world.supervisor, "The customer called.", False)
    assert event.data == {
        "queue": "general",
        "was": entry.due_at.isoformat(timespec="minutes"),
        "due_at": due.isoformat(timespec="minutes"),
    }


def test_what_the_customer_was_promised_stands(world):
    case = world.submit()
    promised = list(Promise.objects.filter(case=case).values_list("by", "told_at"))
    set_to(world, Entry.objects.get(case=case), db_now() + 9 * HOUR)
    assert list(Promise.objects.filter(case=case).values_list("by", "told_at")) == promised != []


def test_a_missed_deadline_stays_missed_and_is_said_once(world):
    case = world.submit()
    assert sweep_after(4.1) == 1
    entry = Entry.objects.get(case=case)
    assert set_to(world, entry, db_now() + 9 * HOUR).breached_at == entry.breached_at is not None
    assert sweep_after(9.1) == 0
    assert case.events.filter(kind=CaseEvent.Kind.SLA_BREACHED).count() == 1
    assert taken(case).count(STANDARD[2]) == 2, "the new deadline escalates all the same"


def test_a_pause_moves_a_deadline_set_after_one_was_missed(world):
    case = world.submit()
    sweep_after(4.1)
    due = db_now() + 9 * HOUR
    set_to(world, Entry.objects.get(case=case), due)
    with pretend_now(db_now() + 5 * HOUR):
        entry = claims.claim(case, world.reviewer)
        wish = Submission(verdict=Verdict.NEEDS_EDIT, notes="reason")
        reviews.submit(case.pk, wish, actor=world.reviewer, generation=entry.generation)
    with pretend_now(db_now() + 7 * HOUR):
        intake.add_draft(case.pk, parse_draft({"model_draft": "Better.", "signals": FAIR}), actor=world.service)
    assert abs(Entry.objects.get(case=case).due_at - due - 2 * HOUR) < timedelta(seconds=5)


def test_what_was_to_move_once_it_is_let_go_stays_with_its_new_deadline(world):
    world.submit()
    entry = world.claim()
    Entry.objects.update(moves_when_free=True)
    assert set_to(world, entry, db_now() + HOUR).moves_when_free is False
    assert Entry.objects.get().claimed_by == world.reviewer, "nothing is taken out of anybody's hands"


@pytest.mark.parametrize("hours", [-1, 0, FURTHEST / HOUR + 1])
def test_a_deadline_lies_ahead_and_not_beyond_all_planning(world, hours):
    world.submit()
    entry = Entry.objects.get()
    with pytest.raises(DeadlineInvalid, match="Nothing was changed") as refused:
        set_to(world, entry, db_now() + hours * HOUR)
    assert (refused.value.pointer, Entry.objects.get().due_at) == ("/due_at", entry.due_at)


@pytest.mark.parametrize("reason", ["", " \n "])
def test_a_deadline_is_not_changed_without_a_reason(world, reason):
    world.submit()
    with pytest.raises(DeadlineInvalid) as refused:
        set_to(world, Entry.objects.get(), db_now() + HOUR, reason=reason)
    assert refused.value.pointer == "/reason"


def test_a_clock_that_stands_is_not_set(world):
    case = world.submit()
    entry = world.claim()
    wish = Submission(verdict=Verdict.NEEDS_EDIT, notes="reason")
    reviews.submit(case.pk, wish, actor=world.reviewer, generation=entry.generation)
    with pytest.raises(DeadlineInvalid, match="clock stands"):
        set_to(world, entry, db_now() + HOUR)


def test_a_deadline_that_changed_meanwhile_is_not_overwritten(world):
    world.submit()
    entry = Entry.objects.get()
    set_to(world, entry, db_now() + HOUR, seen=entry.due_at)
    with pytest.raises(Stale, match="changed since"):
        set_to(world, entry, db_now() + 2 * HOUR, seen=entry.due_at)


@pytest.mark.parametrize("who", ["reviewer", "compliance", "service", "outsider"])
def test_only_the_supervisors_of_its_queue_set_a_deadline(world, who):
    world.submit()
    entry = Entry.objects.get()
    actor = make_world("other").supervisor if who == "outsider" else getattr(world, who)
    with pytest.raises(Denied):
        set_to(world, entry, db_now() + HOUR, actor=actor)
    assert Entry.objects.get(pk=entry.pk).due_at == entry.due_at


def test_the_metrics_count_a_missed_deadline_that_was_moved(world):
    case = world.submit()
    sweep_after(4.1)
    set_to(world, Entry.objects.get(case=case), db_now() + 9 * HOUR)
    now = db_now()
    window = {"tenant": world.tenant.pk, "start": now - HOUR, "end": now + HOUR, "now": now, "zone": "UTC"}
    with connection.cursor() as cursor:
        cursor.execute(FACTS, window)
        names = [column.name for column in cursor.description]
        (fact,) = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert fact["sla_missed"] == 1


# --- the page -----------------------------------------------------------------------------------------------------


def page_of(entry: Entry) -> str:
    return f"/admin/queues/entry/{entry.pk}/change/"


def post(client, entry: Entry, due_at, reason: str = "The customer called", **fields):
    sent = {"due_at": f"{due_at:%Y-%m-%dT%H:%M}", "reason": reason, "seen": entry.due_at.isoformat()}
    return client.post(f"/admin/queues/entry/{entry.pk}/deadline/", sent | fields)


def test_a_supervisor_sets_a_deadline_on_the_page_of_what_waits(world):
    case = world.submit(sla_deadline=(db_now() + 2 * HOUR).isoformat())
    entry, desk = Entry.objects.get(case=case), sign_in(world.supervisor)
    text = desk.get(page_of(entry)).content.decode()
    for words in ("Set another deadline", "The customer has waited", "Promised to the customer", "caller's own"):
        assert words in text
    due = db_now() + 3 * HOUR
    assert post(desk, entry, due).status_code == 302
    assert Entry.objects.get(case=case).due_at == due.replace(second=0, microsecond=0)
    text = desk.get(page_of(entry)).content.decode()
    assert "▲ before the deadline" in text
    assert "Deadline changed by hand" in desk.get(f"/admin/cases/case/{case.pk}/change/").content.decode()
    assert (
        "Deadline changed by hand" in desk.get(reverse("admin:feedback_review_work", args=[case.pk])).content.decode()
    )


@pytest.mark.parametrize(
    ("due_in", "reason", "words"), [(-1, "why", "from now on"), (1, "", "required"), (5000, "why", "90 days")]
)
def test_what_cannot_be_is_said_beside_its_field_with_what_was_written(world, due_in, reason, words):
    world.submit()
    entry = Entry.objects.get()
    answer = post(sign_in(world.supervisor), entry, db_now() + due_in * HOUR, reason)
    text = answer.content.decode()
    assert (answer.status_code, words in text, reason in text) == (400, True, True)
    assert Entry.objects.get().due_at == entry.due_at


def test_of_two_who_change_it_the_second_is_told(world):
    world.submit()
    entry, desk = Entry.objects.get(), sign_in(world.supervisor)
    post(desk, entry, db_now() + HOUR)
    answer = desk.post(
        f"/admin/queues/entry/{entry.pk}/deadline/",
        {"due_at": "2030-01-01T00:00", "reason": "later", "seen": entry.due_at.isoformat()},
        follow=True,
    )
    assert "changed since" in answer.content.decode()


def test_a_reviewer_sees_no_form_and_an_outsider_no_page(world):
    world.submit()
    entry = Entry.objects.get()
    reviewer = sign_in(world.reviewer)
    assert "Set another deadline" not in reviewer.get(page_of(entry)).content.decode()
    assert post(reviewer, entry, db_now() + HOUR).status_code == 403
    outsider, unknown = sign_in(make_world("other").supervisor), Entry(pk=world.tenant.pk, due_at=entry.due_at)
    assert post(outsider, entry, db_now() + HOUR).status_code == post(outsider, unknown, db_now()).status_code == 302
    assert sign_in(world.supervisor).get(f"/admin/queues/entry/{entry.pk}/deadline/").status_code == 403
    assert Entry.objects.get(pk=entry.pk).due_at == entry.due_at
