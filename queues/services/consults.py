"""Asking a colleague: the case's clock stands, within a bound, until they answer."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from cases.clock import db_now
from cases.models import CaseEvent, Membership, Tenant, User
from cases.models.people import system_actor
from cases.permissions import allowed
from cases.services.events import record
from cases.services.members import stand_in_of, stands_in_for

from ..errors import AsideInvalid, NotAsked
from ..models import Claim, Consultation, Entry
from . import entries
from .asides import case_of, checked, text_of
from .claims import LEASE, hold
from .keeping import keep

HOURS = 4
MOST_HOURS = 24
PAUSE_REASON = "Waiting for a colleague's answer"
COLLEAGUES = 300  # offered in a list
BATCH = 200


def colleagues(user: User, tenant: Tenant) -> QuerySet[User]:
    """Whom ``user`` may ask: the other people of the tenant. Whoever is away has a delegate who is asked instead."""
    members = Membership.objects.filter(user=OuterRef("pk"), tenant=tenant, is_active=True).exclude(roles=[])
    people = User.objects.filter(Exists(members), is_active=True, kind=User.AccountKind.PERSON).exclude(pk=user.pk)
    return people.order_by("first_name", "last_name", "username")[:COLLEAGUES]


@transaction.atomic
def ask(
    case_id: UUID, user: User, generation: int, *, colleague: User | str, question: str, hours: int = HOURS
) -> Consultation:
    """Ask ``colleague``, a person or a user name, about a case that one holds. One's claim ends and the clock stands,
    for ``hours`` at most.

    A colleague who is away is stood in for by their delegate. Raises ``StaleClaim`` or ``NotClaimed`` before anything
    is said of the colleague, and ``AsideInvalid``.
    """
    question = checked(question, "question")
    if not 1 <= hours <= MOST_HOURS:
        raise AsideInvalid(f"Wait for 1 to {MOST_HOURS} hours. Nothing was changed.", pointer="/hours")
    entry = hold(case_id, user, generation)
    case, now = case_of(entry), db_now()
    if isinstance(colleague, str):
        colleague = colleague_named(colleague, case.tenant)
    asked = _who_answers(case.tenant, colleague, now)
    if asked.pk == user.pk or asked.pk in entry.excluded:
        raise AsideInvalid("This person cannot be asked about this case. Choose another one.", pointer="/colleague")
    entries.pause_entry(case, at=now, reason=PAUSE_REASON, end=Claim.End.ASKED)
    consultation = Consultation(
        tenant_id=entry.tenant_id,
        case=case,
        queue=entry.queue,
        asker=user,
        colleague=asked,
        question=text_of(entry, question),
        asked_at=now,
        answer_by=now + timedelta(hours=hours),
    )
    consultation.save(force_insert=True)
    until = consultation.answer_by.isoformat(timespec="minutes")
    record(case, CaseEvent.Kind.CONSULTED, user, at=now, colleague=asked.username, answer_by=until)
    return consultation


def colleague_named(username: str, tenant: Tenant) -> User:
    """The member of ``tenant`` with this username; another's is as unknown as none. Raises ``AsideInvalid``."""
    place = Membership.objects.filter(tenant=tenant, is_active=True, user__username=username).select_related("user")
    found = place.first()
    if found is None:
        raise AsideInvalid("Nobody of your tenant has this user name. Nothing was changed.", pointer="/colleague")
    return found.user


def _who_answers(tenant: Tenant, colleague: User, now: datetime) -> User:
    stand_in = stand_in_of(colleague, tenant, now)
    if stand_in is None:
        raise AsideInvalid(
            f"{colleague} is away, and nobody stands in. Ask somebody else; nothing was changed.", pointer="/colleague"
        )
    if not stand_in.is_person or not allowed(stand_in, "view_case", tenant):
        raise AsideInvalid("This person may not see the case. Ask somebody else.", pointer="/colleague")
    return stand_in


@transaction.atomic
def answer(case_id: UUID, user: User, *, text: str) -> Consultation:
    """Answer the open question about a case, asked of oneself or of somebody whom one stands in for.

    The clock goes on, and the case is its asker's before it is anybody's. Raises ``NotAsked`` or ``AsideInvalid``.
    """
    text = checked(text, "answer")
    entry, consultation = _open(case_id)
    now = db_now()
    if consultation is None or not may_answer(consultation, user, now):
        raise NotAsked("Nobody waits for your answer about this case, or no longer. Nothing was changed.")
    consultation.answer = text_of(entry, text)
    _end(entry, consultation, Consultation.End.ANSWERED, by=user, at=now)
    return consultation


@transaction.atomic
def stop_waiting(case_id: UUID, user: User) -> Consultation:
    """Go on without the answer: whoever asked has the case back. Raises ``NotAsked``."""
    entry, consultation = _open(case_id)
    if consultation is None or consultation.asker_id != user.pk:
        raise NotAsked("No question of yours about this case is open. Nothing was changed.")
    _end(entry, consultation, Consultation.End.STOPPED, by=user, at=db_now())
    return consultation


def sweep_consultations() -> int:
    """Questions that nobody answered in time: the clock goes on; returns how many. Safe to run twice at once."""
    late = Consultation.objects.filter(ended_at=None, answer_by__lte=db_now()).order_by("answer_by")
    return sum(_lapse(case_id) for case_id in list(late.values_list("case_id", flat=True)[:BATCH]))


@transaction.atomic
def _lapse(case_id: UUID) -> int:
    entry, consultation = _open(case_id)
    now = db_now()
    if consultation is None or consultation.answer_by > now:
        return 0
    _end(entry, consultation, Consultation.End.LAPSED, by=system_actor(), at=now)
    return 1


def waiting_for(case_id: UUID) -> Consultation | None:
    """The open question about a case."""
    return Consultation.objects.filter(case=case_id, ended_at=None).select_related("tenant").first()


def questions_to(user: User, tenants: QuerySet[Tenant], now: datetime) -> QuerySet[Consultation]:
    """The open questions that wait for an answer of ``user``, the most urgent first."""
    away = Membership.objects.away(now).filter(tenant=OuterRef("tenant"), user=OuterRef("colleague"), delegate=user)
    mine = Consultation.objects.filter(Q(colleague=user) | Exists(away), ended_at=None, tenant__in=tenants)
    return mine.select_related("case__tenant", "asker", "question").order_by("answer_by", "id")


def may_answer(consultation: Consultation, user: User, now: datetime) -> bool:
    """Whether ``user`` was asked, or stands in now for who was."""
    if user.pk == consultation.asker_id:
        return False
    if user.pk == consultation.colleague_id:
        return True
    return any(one.pk == consultation.colleague_id for one in stands_in_for(user, consultation.tenant, now))


def _open(case_id: UUID) -> tuple[Entry | None, Consultation | None]:
    """The entry, then the open question, each under its lock: in the order in which closing an entry takes them."""
    entry = Entry.objects.select_for_update(of=("self",)).select_related("queue").filter(case=case_id).first()
    if entry is None:
        return None, None
    waiting = Consultation.objects.select_for_update(of=("self",)).select_related("asker", "tenant")
    return entry, waiting.filter(case=case_id, ended_at=None).first()


def _end(entry: Entry, consultation: Consultation, end: Consultation.End, *, by: User, at: datetime) -> None:
    consultation.end, consultation.ended_at, consultation.ended_by = end, at, by
    consultation.save(update_fields=["end", "ended_at", "ended_by", "answer"])
    entries.end_pause(entry, at)
    keep(entry, consultation.asker, back_at=at, kept_until=at + LEASE)
    record(case_of(entry), CaseEvent.Kind.CONSULT_ENDED, by, at=at, how=str(end))


def last_words(case_id: UUID, most: int) -> list[Consultation]:
    """The latest questions about a case with their answers, oldest first."""
    rows = Consultation.objects.filter(case=case_id).select_related(
        "asker", "colleague", "ended_by", "question", "answer"
    )
    return list(rows.order_by("-id")[:most])[::-1]
