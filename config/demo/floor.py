"""What a supervisor finds on the floor: a case put off, one that waits for a colleague, one with another deadline, and
one that nobody is left to take."""

from datetime import timedelta

from cases.clock import db_now
from cases.models import Tenant, User
from queues.errors import NotFit
from queues.models import Entry
from queues.services import asides, claims, consults
from queues.services.staffing import fitting
from queues.services.supervision import set_deadline

AHEAD = timedelta(hours=3)  # A case with less time than this is left alone: visitors may take it.
FEW = 2  # people; a case that more could take is declined by nobody


def happens(tenant: Tenant, supervisor: User) -> None:
    """Four of the tenant's least urgent cases, as far as there are any and somebody fit is at work."""
    now = db_now()
    waiting = Entry.objects.waiting().filter(tenant=tenant, kind=Entry.Kind.REVIEW, due_at__gt=now + AHEAD)
    rest = list(waiting.select_related("case__tenant", "queue").order_by("-ranked_at", "-id"))
    people = {entry.pk: [one.user for one in fitting(entry)] for entry in rest}
    if scarce := next((entry for entry in rest if 0 < len(people[entry.pk]) <= FEW), None):
        rest.remove(scarce)
        for user in people[scarce.pk]:
            if mine := _claimed(scarce, [user]):
                asides.decline(scarce.case_id, user, mine.generation, reason="I know the customer.")
    for act in (_snooze, _consult):
        for entry in rest:
            if len(people[entry.pk]) > 1 and (mine := _claimed(entry, people[entry.pk])):
                act(mine, people[entry.pk])
                rest.remove(entry)
                break
    if rest:
        due_at = (rest[0].due_at + timedelta(hours=2)).replace(second=0, microsecond=0)
        set_deadline(rest[0].pk, due_at, actor=supervisor, reason="Agreed with the customer on the phone.")


def _claimed(entry: Entry, people: list[User]) -> Entry | None:
    for user in people:
        try:
            return claims.claim(entry.case, user)
        except NotFit:  # Outside their hours.
            continue
    return None


def _snooze(entry: Entry, people: list[User]) -> None:
    until = db_now() + timedelta(minutes=90)
    asides.snooze(entry.case_id, entry.claimed_by, entry.generation, until=until, reason="The shop calls back at noon.")


def _consult(entry: Entry, people: list[User]) -> None:
    colleague = next(user for user in people if user != entry.claimed_by)
    consults.ask(
        entry.case_id,
        entry.claimed_by,
        entry.generation,
        colleague=colleague,
        question="Have you had this before? I would refuse it, and am not sure of the exception.",
        hours=8,
    )
