"""Supervisors set the order of what waits: priorities and snoozes, one by one and many at once."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent
from cases.permissions import Denied
from queues.errors import AsideInvalid, Unassignable
from queues.models import Aside, Entry
from queues.services.claims import claim, claim_next
from queues.services.keeping import sweep_kept
from queues.services.ordering import Place, prioritise, put_off
from tests.cases.test_admin_cases import sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
LIST = "/admin/queues/entry/"


@pytest.fixture
def world(db) -> World:
    return make_world()


def entry_of(case) -> Entry:
    return Entry.objects.get(case=case)


def test_a_case_put_before_all_others_is_given_out_next_and_its_deadline_stays(world):
    world.submit(risk_level="critical")
    case = world.submit()
    before = entry_of(case)
    prioritise(before.pk, actor=world.supervisor, priority=Place.FIRST, reason="The press calls")
    assert entry_of(case).due_at == before.due_at
    assert claim_next(world.reviewer).case_id == case.pk
    event = case.events.get(kind=CaseEvent.Kind.PRIORITISED)
    assert (event.actor, event.data, event.note.text["note"]) == (
        world.supervisor,
        {"priority": 40, "before": before.priority},
        "The press calls",
    )


def test_the_same_priority_again_is_no_event(world):
    case = world.submit()
    prioritise(entry_of(case).pk, actor=world.supervisor, priority=entry_of(case).priority, reason="r")
    assert not case.events.filter(kind=CaseEvent.Kind.PRIORITISED).exists()


@pytest.mark.parametrize("priority", [-11, 41])
def test_a_priority_beyond_what_counts_is_refused(world, priority):
    case = world.submit()
    with pytest.raises(AsideInvalid, match="between"):
        prioritise(entry_of(case).pk, actor=world.supervisor, priority=priority, reason="r")


def test_a_snoozed_case_is_offered_to_nobody_until_then_and_to_anybody_after(world):
    case = world.submit()
    until = db_now() + HOUR
    put_off(entry_of(case).pk, actor=world.supervisor, until=until, reason="The shop is down")
    assert claim_next(world.reviewer) is None
    assert entry_of(case).paused_at is None, "its deadline goes on running"
    with pretend_now(until + timedelta(seconds=2)):
        assert sweep_kept() == 1
        assert claim_next(world.reviewer).case_id == case.pk
    assert case.events.get(kind=CaseEvent.Kind.SNOOZED).note.text["note"] == "The shop is down"


def test_nobodys_work_is_snoozed_out_of_their_hands(world):
    case = world.submit()
    entry = claim(case, world.reviewer)
    with pytest.raises(Unassignable, match="Rita has it"):
        put_off(entry.pk, actor=world.supervisor, until=db_now() + HOUR, reason="r")
    assert entry_of(case).claimed_by == world.reviewer


def test_what_a_supervisor_holds_they_snooze_as_anybody_does(world):
    boss = world.person("ben", "supervisor", reviews=True)
    entry = claim(world.submit(), boss)
    put_off(entry.pk, actor=boss, until=db_now() + HOUR, reason="Lunch")
    assert Aside.objects.get().user == boss
    assert Entry.objects.get().kept_for == boss


@pytest.mark.parametrize(("hours", "words"), [(-1, "past"), (5, "deadline")])
def test_a_snooze_stays_within_the_deadline(world, hours, words):
    entry = entry_of(world.submit())
    with pytest.raises(AsideInvalid, match=words):
        put_off(entry.pk, actor=world.supervisor, until=db_now() + hours * HOUR, reason="r")


@pytest.mark.parametrize("who", ["reviewer", "compliance", "outsider"])
def test_only_who_supervises_the_queue_sets_its_order(world, who):
    actor = make_world("other").supervisor if who == "outsider" else getattr(world, who)
    entry = entry_of(world.submit())
    with pytest.raises(Denied):
        prioritise(entry.pk, actor=actor, priority=40, reason="r")
    with pytest.raises(Denied):
        put_off(entry.pk, actor=actor, until=db_now() + HOUR, reason="r")


# --- many at once --------------------------------------------------------------------------------------------------


def choose(browser, action: str, entries, **values):
    return browser.post(LIST, {"action": action, "_selected_action": [entry.pk for entry in entries], **values})


def test_many_cases_are_prioritised_and_snoozed_from_the_list_and_what_is_refused_is_said(world):
    browser = sign_in(world.supervisor)
    entries = [entry_of(world.submit()) for _ in range(3)]
    claim(entries[0].case, world.reviewer)
    asked = choose(browser, "prioritise_chosen", entries)
    assert asked.status_code == 200 and "Before all others" in asked.content.decode()
    done = {"confirmed": "yes", "reason": "The press calls"}
    choose(browser, "prioritise_chosen", entries, priority="40", **done)
    assert set(Entry.objects.values_list("priority", flat=True)) == {40}
    answer = choose(browser, "snooze_chosen", entries, minutes="60", **done)
    said = " ".join(str(message) for message in browser.get(answer["Location"]).context["messages"])
    assert "2 cases put off" in said and "Rita has it" in said
    assert Entry.objects.filter(kept_for=world.supervisor).count() == 2


@pytest.mark.parametrize(
    ("action", "values"),
    [
        ("prioritise_chosen", {"priority": "99", "reason": "r"}),
        ("prioritise_chosen", {"priority": "40"}),
        ("snooze_chosen", {"minutes": "7", "reason": "r"}),
    ],
)
def test_what_is_missing_or_unknown_is_asked_again(world, action, values):
    entry = entry_of(world.submit())
    answer = choose(sign_in(world.supervisor), action, [entry], confirmed="yes", **values)
    assert answer.status_code == 400
    assert (entry_of(entry.case).priority, entry_of(entry.case).kept_for) == (entry.priority, None)


def test_nobody_else_has_the_actions_and_no_list_approves(world):
    entry = entry_of(world.submit())
    other = make_world("other")
    for user in (world.reviewer, world.compliance, other.supervisor):
        choose(sign_in(user), "prioritise_chosen", [entry], confirmed="yes", priority="40", reason="r")
    assert entry_of(entry.case).priority == entry.priority
    page = sign_in(world.supervisor).get(LIST)
    names = {name for name, _ in page.context["action_form"].fields["action"].choices}
    assert names == {"", "give_chosen", "take_back_chosen", "prioritise_chosen", "snooze_chosen"}
