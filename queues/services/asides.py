"""Setting a case aside: skipping, snoozing, declining it, giving it back. Each ends one's claim, says why, and stands
in the timeline.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from cases.clock import db_now
from cases.models import Case, CaseEvent, Content, User
from cases.services.events import record

from ..errors import AsideInvalid
from ..models import Aside, Claim, Entry
from .claims import LEASE, free, hold, release
from .keeping import keep
from .staffing import fitting

LONGEST_SNOOZE = timedelta(hours=24)
REASON_LENGTH = 2_000  # characters


@transaction.atomic
def skip(case_id: UUID, user: User, generation: int, *, reason: str) -> None:
    """Return the case to its place, for somebody else.

    It is not offered to ``user`` again before everybody who fits has had it, or nobody has skipped it for
    ``keeping.SKIPPED_FOR``: so it goes round and never in a loop between two. Raises ``StaleClaim``, ``NotClaimed``
    or ``AsideInvalid``.
    """
    reason = checked(reason, "reason")
    entry = hold(case_id, user, generation)
    now = db_now()
    passed = {*entry.passed_by, user.pk}
    if {one.user_id for one in fitting(entry)} <= passed:
        passed = {user.pk}  # Everybody has had it: a new round begins, behind the one who skipped it last.
    entry.passed_by, entry.passed_at = sorted(passed), now
    entry.save(update_fields=["passed_by", "passed_at"])
    set_aside(entry, user, Claim.End.SKIPPED, Aside.Kind.SKIP, CaseEvent.Kind.SKIPPED, reason=reason, at=now)


@transaction.atomic
def snooze(case_id: UUID, user: User, generation: int, *, until: datetime, reason: str = "") -> None:
    """Put the case off to an instant. It stays theirs and nobody else sees it; its deadline goes on running.

    Hence at most ``LONGEST_SNOOZE``, and never past the deadline. At ``until`` it is what they are given next; who has
    not taken it within a lease by then leaves it to the others. They may take it earlier. Raises as ``skip`` does.
    """
    entry = hold(case_id, user, generation)
    now = db_now()
    check_until(entry, until, now)
    set_aside(
        entry, user, Claim.End.SNOOZED, Aside.Kind.SNOOZE, CaseEvent.Kind.SNOOZED, reason=reason, at=now, until=until
    )
    keep(entry, user, back_at=until, kept_until=until + LEASE)


@transaction.atomic
def decline(case_id: UUID, user: User, generation: int, *, reason: str) -> None:
    """Hand the case back for a conflict of interest: it is never given to ``user`` again, reopened or not.

    The reason is kept for supervisors. Raises as ``skip`` does.
    """
    reason = checked(reason, "reason")
    entry = hold(case_id, user, generation)
    entry.excluded = sorted({*entry.excluded, user.pk})
    entry.save(update_fields=["excluded"])
    set_aside(entry, user, Claim.End.DECLINED, Aside.Kind.DECLINE, CaseEvent.Kind.DECLINED, reason=reason, at=db_now())


@transaction.atomic
def give_back(case_id: UUID, user: User, generation: int, *, reason: str = "") -> None:
    """``claims.release`` with a reason, where there is one: it is kept for supervisors. Raises as ``skip`` does."""
    if reason.strip():
        _keep_reason(hold(case_id, user, generation), user, Aside.Kind.RELEASE, reason, at=db_now())
    release(case_id, user, generation)


def check_until(entry: Entry, until: datetime, now: datetime) -> None:
    """Raise ``AsideInvalid`` where ``entry`` cannot be put off to ``until``."""
    if until <= now:
        raise AsideInvalid("This time is past. Choose a later one; nothing was changed.", pointer="/until")
    if until > now + LONGEST_SNOOZE:
        raise AsideInvalid("A case can be snoozed for 24 hours at most. Nothing was changed.", pointer="/until")
    if until >= entry.due_at:
        raise AsideInvalid(
            f"The deadline goes on running and comes first, at {entry.due_at:%d %b %H:%M} UTC. Snooze it for less, "
            "or skip it for somebody else. Nothing was changed.",
            pointer="/until",
        )


def checked(text: str, name: str) -> str:
    """What a person wrote, without the space around it. Raises ``AsideInvalid`` where it says nothing or too much."""
    text = text.strip()
    if not text:
        raise AsideInvalid("Say it in a few words. Nothing was changed.", pointer=f"/{name}")
    if len(text) > REASON_LENGTH:
        raise AsideInvalid(f"At most {REASON_LENGTH:,} characters. Nothing was changed.", pointer=f"/{name}")
    return text


def text_of(entry: Entry, words: str) -> Content:
    """``words`` as erasable text of the entry's case."""
    content = Content(tenant_id=entry.tenant_id, owner=Content.Owner.EVENT, case_id=entry.case_id, body={"note": words})
    content.save(force_insert=True)
    return content


def case_of(entry: Entry) -> Case:
    return Case.objects.select_related("tenant", "current_draft").get(pk=entry.case_id)


def set_aside(
    entry: Entry,
    user: User,
    end: Claim.End,
    kind: Aside.Kind,
    event: CaseEvent.Kind,
    *,
    reason: str,
    at: datetime,
    until: datetime | None = None,
    note: str = "",
    **data: str,
) -> None:
    """End the claim on a held entry: the reason is kept for supervisors, ``note`` is for everybody who reads the
    timeline."""
    _keep_reason(entry, user, kind, reason, at=at, until=until)
    free(entry, end)
    if until:
        data["until"] = until.isoformat(timespec="minutes")
    record(case_of(entry), event, user, at=at, note=note, queue=entry.queue.slug, **data)


def _keep_reason(
    entry: Entry, user: User, kind: Aside.Kind, reason: str, *, at: datetime, until: datetime | None = None
) -> None:
    content = text_of(entry, reason.strip()[:REASON_LENGTH]) if reason.strip() else None
    Aside(
        tenant_id=entry.tenant_id,
        case_id=entry.case_id,
        queue=entry.queue,
        user=user,
        kind=kind,
        at=at,
        until=until,
        reason=content,
        reason_digest=content.digest() if content else None,
        generation=entry.generation,
    ).save(force_insert=True)
