"""Second looks: a supervisor has decided cases reviewed again by somebody else.

The second person says what they would decide: having seen what became of the case, or blind to it, as the supervisor
asks. Blind is ``cases_veiled_from``: whoever may be given the look sees neither verdict nor outcome before it is done.
Where both say the same, nothing changes. Where they differ, neither of the two is right by rank: both outcomes are
kept, the case is reopened, and it goes to a third person.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from cases.clock import db_now
from cases.models import Case, CaseEvent, DataView, Tenant, User
from cases.permissions import require
from cases.services import lifecycle
from cases.services.events import record
from cases.states import State
from queues.models import Entry, Reviewer
from queues.services import ballots
from queues.services.entries import open_entry
from queues.services.staffing import fitting, holding

from ..errors import LookRefused
from ..models import Review, SecondLook
from .votes import voice_of

MOST = 500  # decided cases that one sample draws
POOL = 20_000  # decisions among which it is drawn, the newest of the window


@dataclass(frozen=True)
class Wish:
    """Which decisions are sampled: written in ``[since, until)``, by domain and person where named; ``share`` of them
    in (0, 1], or ``number`` of them. One of both is given. ``is_blind``: to what was decided."""

    since: datetime
    until: datetime
    domain: str = ""
    reviewer: User | None = None
    number: int | None = None
    share: float | None = None
    is_blind: bool = False


def candidates(tenant: Tenant, wish: Wish, *, now: datetime | None = None) -> QuerySet[Review]:
    """The decisions that ``wish`` names: final, of a decided case, not looked at again and with nothing waiting."""
    waiting = Entry.objects.filter(case=OuterRef("case"))
    looked_at = SecondLook.objects.filter(decision=OuterRef("pk"))
    rows = Review.objects.countable(now).filter(
        ~Exists(waiting),
        ~Exists(looked_at),
        tenant=tenant,
        created_at__gte=wish.since,
        created_at__lt=wish.until,
        case__state__in=(State.APPROVED, State.REJECTED),
        case__decided_at=F("created_at"),
    )
    if wish.domain:
        rows = rows.filter(case__domain=wish.domain)
    if wish.reviewer:
        rows = rows.filter(reviewer=wish.reviewer)
    return rows


def sample(tenant: Tenant, wish: Wish, *, actor: User, reason: str) -> list[SecondLook]:
    """Have a sample of decisions looked at again; each case by itself. Raises ``Denied`` or ``LookRefused``.

    Which ones is decided by a digest of each decision's id and the instant of asking: nobody can say beforehand.
    """
    require(actor, "reopen_case", tenant)
    if (wish.number is None) == (wish.share is None):
        raise LookRefused("Say how many decisions, or which share of them.")
    if not reason.strip():
        raise LookRefused("Say why they are looked at again.")
    now = db_now()
    pool = list(candidates(tenant, wish, now=now).order_by("-created_at").values_list("pk", flat=True)[:POOL])
    size = min(len(pool), wish.number) if wish.number is not None else round(len(pool) * wish.share)
    if size < 1:
        raise LookRefused(f"{len(pool)} decisions match, of which this is none. Nothing was asked for.")
    salt = now.isoformat().encode()
    drawn = sorted(pool, key=lambda key: hashlib.sha256(salt + key.bytes).digest())[: min(size, MOST)]
    looks = [ask(key, actor=actor, reason=reason, is_blind=wish.is_blind) for key in drawn]
    return [look for look in looks if look is not None]


@transaction.atomic
def ask(decision_id: UUID, *, actor: User, reason: str, is_blind: bool = False) -> SecondLook | None:
    """Have one decision looked at again; None where the case has moved on since."""
    case = lifecycle.locked(Review.objects.values_list("case", flat=True).get(pk=decision_id))
    require(actor, "reopen_case", case.tenant)
    now = db_now()
    decision = _standing_decision(case)
    is_taken = Entry.objects.filter(case=case).exists() or SecondLook.objects.filter(decision=decision_id).exists()
    if decision is None or decision.pk != decision_id or is_taken:
        return None
    look = SecondLook(tenant=case.tenant, case=case, decision=decision, asked_by=actor, asked_at=now, is_blind=is_blind)
    look.save(force_insert=True)
    open_entry(case, case.current_draft, at=now, kind=Entry.Kind.SECOND)
    ballots.keep_out(case, _judges(case))
    if is_blind:
        _keep_out_who_knows(look)
    record(case, CaseEvent.Kind.SECOND_LOOK, actor, at=now, note=reason.strip()[:2000])
    return look


def cases_veiled_from(actor: User) -> QuerySet[SecondLook]:
    """The keys of the cases with a blind look to come of which ``actor`` sees no outcome: a reviewer of the tenant whom
    nothing keeps from being given it. For ``CASE_OUTCOME_VEILS``."""
    reviews_there = Reviewer.objects.filter(user=actor, tenant=OuterRef("tenant"))
    is_kept_out = Entry.objects.filter(case=OuterRef("case"), excluded__contains=[actor.pk])
    blind = SecondLook.objects.filter(Exists(reviews_there), ~Exists(is_kept_out), is_blind=True, ended_at=None)
    return blind.values("case")


def settle(case: Case, review: Review, *, actor: User) -> SecondLook:
    """Store what the second person says; called by ``reviews`` under the case's lock. See above for what follows."""
    look = SecondLook.objects.select_related("decision__content").get(case=case, ended_at=None)
    is_upheld = _says_the_same(look.decision, review)
    look.review, look.ended_at = review, review.created_at
    look.result = SecondLook.Result.UPHELD if is_upheld else SecondLook.Result.OVERTURNED
    look.save(update_fields=["review", "ended_at", "result"])
    record(case, CaseEvent.Kind.LOOKED_AGAIN, actor, at=review.created_at, how=str(look.result))
    if not is_upheld:
        lifecycle.reopen_after_look(case, actor=actor, now=review.created_at)
        ballots.keep_out(case, [review.reviewer_id, look.decision.reviewer_id])
    return look


def close(case: Case, *, at: datetime) -> None:
    """The decision fell before anybody looked again."""
    SecondLook.objects.filter(case=case, ended_at=None).update(ended_at=at, result=SecondLook.Result.CLOSED)


def _standing_decision(case: Case) -> Review | None:
    if case.state not in (State.APPROVED, State.REJECTED):
        return None
    rows = Review.objects.countable().filter(case=case, created_at=case.decided_at)
    return rows.order_by("-id").first()


def _judges(case: Case) -> Sequence[UUID]:
    said = Review.objects.filter(case=case, kind__in=[Review.Kind.DECISION, Review.Kind.VOTE, Review.Kind.SECOND])
    return list(said.values_list("reviewer", flat=True).distinct())


def _keep_out_who_knows(look: SecondLook) -> None:
    """Who asks for a blind look, reads the audit trail, or has opened the case since it was decided sees it no more
    with fresh eyes; of the last, as long as somebody else is left."""
    case, team = look.case, Reviewer.objects.filter(tenant=look.tenant)
    readers = team.filter(holding("view_audit")).values_list("user", flat=True)
    ballots.keep_out(case, [look.asked_by_id, *readers])
    views = DataView.objects.filter(case=case, at__gte=look.decision.created_at, actor__in=team.values("user"))
    viewers = set(views.values_list("actor", flat=True).distinct())
    entry = Entry.objects.select_related("queue").get(case=case)
    if viewers and any(one.user_id not in viewers for one in fitting(entry)):
        ballots.keep_out(case, viewers)


def _says_the_same(first: Review, second: Review) -> bool:
    one, other = voice_of(first), voice_of(second)
    return one.position == other.position and one.words == other.words
