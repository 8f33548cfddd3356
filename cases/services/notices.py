"""Telling people, in two halves: ``tell`` writes notices in the transaction of what they tell of; ``send_due`` sends
them later, outside every transaction.

**Bundles.** A notice waits ``SETTLE`` before it goes, and a destination gets one message in ``QUIET`` at most: whatever
else waits for it by then goes along. So a hundred steps in one sweep are one message to each person.

**Retries.** The times are a column. A message that fails is tried again by ``RETRY_DELAYS``, then its notices are
marked failed, which the list and the health page show; somebody may send them again. A sender that dies between the
sending and the storing leaves a lease that runs out, and the message goes twice rather than never.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import shorten
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Min, Q
from django.urls import reverse

from .. import notice_ways
from ..clock import db_now
from ..errors import IllegalState
from ..ids import new_id
from ..models import Notice, NoticeChannel, Tenant, User
from ..nudges import nudge
from ..permissions import require

M = TypeVar("M")  # a message that is leased
R = TypeVar("R")  # what came of its sending

SEND = "cases.tasks.send_notices"

SETTLE = timedelta(seconds=10)
QUIET = timedelta(seconds=60)
LEASE = timedelta(seconds=90)  # Longer than any sending takes.
KEPT = timedelta(days=30)
MOST_IN_ONE = 1000  # notices of one message
SHOWN = 40  # of them are written out
DESTINATIONS = 8  # messages of one round, sent side by side
RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600))


class NotFailed(IllegalState):
    code = "notice_not_failed"
    title = "This notice was not given up"


@dataclass(frozen=True)
class News:
    """What is to be told, and to whom: ``to`` are keys of users of the tenant; its team's channels hear it besides.

    ``key`` names the news, so that it is told once however often it is written. ``text`` holds ids, queues and times.
    """

    tenant_id: UUID
    kind: str
    text: str
    key: str
    to: Collection[UUID] = ()
    subject: str = ""
    path: str = ""


# --- writing ---------------------------------------------------------------------------------------------------------


def tell(news: Sequence[News], *, at: datetime | None = None) -> int:
    """Write the notices of ``news`` in the caller's transaction; returns how many. Two statements, however many."""
    if not news:
        return 0
    at = at or db_now()
    channels = _channels(news)
    notices = [notice for one in news for notice in _notices(one, channels, at)]
    Notice.objects.bulk_create(notices, ignore_conflicts=True, batch_size=1000)
    return len(notices)


def _channels(news: Sequence[News]) -> dict[tuple[UUID, UUID | None], list[NoticeChannel]]:
    """Per tenant and person their channels, and per tenant and None the team's."""
    people = {user for one in news for user in one.to}
    found: dict[tuple[UUID, UUID | None], list[NoticeChannel]] = {}
    active = NoticeChannel.objects.filter(is_active=True, tenant__in={one.tenant_id for one in news})
    for channel in active.filter(Q(user=None) | Q(user__in=people)).order_by("id"):
        found.setdefault((channel.tenant_id, channel.user_id), []).append(channel)
    return found


def _notices(one: News, channels: dict, at: datetime) -> Iterator[Notice]:
    for user_id in (None, *dict.fromkeys(one.to)):
        own = channels.get((one.tenant_id, user_id), [])
        for channel in own:
            if not channel.hears or one.kind in channel.hears:
                yield _notice(one, at, channel.pk, user_id=user_id, channel=channel)
        if user_id and not own:
            yield _notice(one, at, user_id, user_id=user_id)


def _notice(one: News, at: datetime, destination: UUID, **recipient) -> Notice:
    return Notice(
        tenant_id=one.tenant_id,
        destination=destination,
        kind=one.kind,
        subject=one.subject,
        text=one.text[:300],
        path=one.path,
        key=f"{one.key}:{destination.hex}",
        created_at=at,
        next_attempt_at=at + SETTLE,
        **recipient,
    )


# --- sending ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """A bundle of notices for one destination, ours until ``until``."""

    bundle: UUID
    until: datetime
    notices: Sequence[Notice]


# Destinations with something due that nobody is sending to and that have heard nothing for a while.
DUE = """
    SELECT notice.destination, min(notice.next_attempt_at) AS due
    FROM cases_notice notice
    WHERE notice.state = 'waiting' AND notice.next_attempt_at <= %(now)s
      AND NOT EXISTS (
          SELECT FROM cases_notice other
          WHERE other.destination = notice.destination AND other.sent_at > %(quiet_since)s
      )
      AND NOT EXISTS (
          SELECT FROM cases_notice other
          WHERE other.destination = notice.destination AND other.state = 'waiting' AND other.leased_until > %(now)s
      )
    GROUP BY notice.destination ORDER BY due LIMIT %(limit)s
"""


def send_due(*, seconds: float = 40) -> int:
    """Send what is due until nothing is or ``seconds`` have passed; returns how many messages were tried.

    Any number of senders may run: each destination is leased by one of them. Not for a transaction.
    """
    return in_rounds(_lease_due, _send, _finish, seconds=seconds)


def in_rounds(
    lease: Callable[[], Sequence[M]], send: Callable[[M], R], finish: Callable[[M, R], object], *, seconds: float
) -> int:
    """Lease, send side by side, store, until nothing is leased or ``seconds`` have passed; returns how many were tried.

    ``send`` runs in threads, outside every transaction; it never raises and never touches the database.
    """
    ends, tried = monotonic() + seconds, 0
    with ThreadPoolExecutor(DESTINATIONS, thread_name_prefix="notice") as pool:
        while monotonic() < ends and (messages := lease()):
            for message, error in zip(messages, pool.map(send, messages), strict=True):
                finish(message, error)
            tried += len(messages)
    return tried


def _lease_due() -> list[Message]:
    now = db_now()
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"now": now, "quiet_since": now - QUIET, "limit": DESTINATIONS})
        destinations = [row[0] for row in cursor.fetchall()]
    return [message for destination in destinations if (message := _lease(destination, now))]


@transaction.atomic
def _lease(destination: UUID, now: datetime) -> Message | None:
    """What waits for ``destination``, due or not; None if another sender was quicker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"notices:{destination}"])
        if not cursor.fetchone()[0]:
            return None
    waiting = Notice.objects.filter(destination=destination, state=Notice.State.WAITING)
    if waiting.filter(leased_until__gt=now).exists() or _is_quiet(destination, now):
        return None
    fresh = waiting.filter(Q(attempts=0) | Q(next_attempt_at__lte=now))  # One that failed keeps its own time.
    notices = list(fresh.select_related("channel", "user", "tenant").order_by("id")[:MOST_IN_ONE])
    if not notices:
        return None
    message = Message(new_id(), now + LEASE, notices)
    Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(
        leased_until=message.until, bundle=message.bundle
    )
    return message


def _is_quiet(destination: UUID, now: datetime) -> bool:
    return Notice.objects.filter(destination=destination, sent_at__gt=now - QUIET).exists()


def _send(message: Message) -> str:
    """What went wrong, or nothing. Never raises and never touches the database: it runs in a thread."""
    first = message.notices[0]
    title = _title(message.notices)
    body = _body(message.notices)
    try:
        _deliver(first.channel, first.user, title, body)
    except notice_ways.NotSent as error:
        return str(error)
    return ""


def _deliver(channel: NoticeChannel | None, user: User | None, title: str, body: str) -> None:
    if channel is None:
        if not (user.is_active and user.email):
            raise notice_ways.NotSent("This person has no e-mail address and no channel.")
        notice_ways.send_email(user.email, title, body)
    elif not channel.is_active:
        raise notice_ways.NotSent("The channel is switched off.")
    elif channel.way == NoticeChannel.Way.EMAIL:
        notice_ways.send_email(channel.email, title, body)
    else:
        notice_ways.send_to_service(channel.url, title, body)


def _title(notices: Sequence[Notice]) -> str:
    tenant = notices[0].tenant.name
    if len(notices) > 1:
        return f"{tenant}: {len(notices)} notices"
    return shorten(f"{tenant}: {notices[0].text}", notice_ways.TITLE_LENGTH, placeholder=" …")


def _body(notices: Sequence[Notice]) -> str:
    paragraphs = [_paragraph(notice) for notice in notices[:SHOWN]]
    if len(notices) > SHOWN:
        paragraphs.append(
            f"And {len(notices) - SHOWN} more: {settings.PUBLIC_URL}{reverse('admin:cases_notice_changelist')}"
        )
    return "\n\n".join(paragraphs)


def _paragraph(notice: Notice) -> str:
    return f"{notice.text}\n{settings.PUBLIC_URL}{notice.path}" if notice.path else notice.text


@transaction.atomic
def _finish(message: Message, error: str) -> None:
    """Store what came of it, where the lease is still ours."""
    now = db_now()
    ours = Notice.objects.filter(bundle=message.bundle, state=Notice.State.WAITING, leased_until=message.until)
    changes: dict[str, Any] = {"leased_until": None, "last_error": error[:300], "attempts": F("attempts") + 1}
    if not error:
        ours.update(state=Notice.State.SENT, sent_at=now, **changes)
        return
    for tries in {notice.attempts for notice in message.notices}:
        if tries < len(RETRY_DELAYS):
            ours.filter(attempts=tries).update(next_attempt_at=now + RETRY_DELAYS[tries], **changes)
        else:
            ours.filter(attempts=tries).update(state=Notice.State.FAILED, **changes)


# --- what people do and see -------------------------------------------------------------------------------------------


@transaction.atomic
def resend(notice_id: UUID, *, actor: User) -> Notice:
    """Give a notice that could not be sent a new set of attempts. Raises ``Denied`` and ``NotFailed``."""
    notice = Notice.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=notice_id)
    require(actor, "change_queue", notice.tenant)
    if notice.state != Notice.State.FAILED:
        raise NotFailed("Only a notice that could not be sent can be sent again. Nothing was changed.")
    notice.state, notice.attempts, notice.next_attempt_at = Notice.State.WAITING, 0, db_now()
    notice.save(update_fields=["state", "attempts", "next_attempt_at"])
    transaction.on_commit(lambda: nudge(SEND))
    return notice


def send_test(channel_id: UUID, *, actor: User) -> str:
    """Send a test to the channel now; returns what went wrong, or nothing. Raises ``Denied``. Not for a transaction."""
    channel = NoticeChannel.objects.select_related("tenant").get(pk=channel_id)
    require(actor, "change_queue", channel.tenant)
    title = f"{channel.tenant.name}: a test"
    body = f"This is a test of the channel “{channel.name}”. Notices will come here.\n{settings.PUBLIC_URL}"
    try:
        _deliver(channel, None, title, body)
    except notice_ways.NotSent as error:
        return str(error)
    return ""


def purge(*, limit: int = 10_000) -> int:
    """Delete what was sent long ago; returns how many. What could not be sent stays until somebody sends it."""
    old = Notice.objects.filter(sent_at__lt=db_now() - KEPT).order_by("sent_at").values("pk")[:limit]
    return Notice.objects.filter(pk__in=old).delete()[0]


@dataclass(frozen=True)
class Backlog:
    """Figures for the health page."""

    late: timedelta  # since when the longest due notice could have been tried; a retry's time is not late
    waiting: int
    failed: int


COUNTED = 1000


def backlog(tenant: Tenant | None = None) -> Backlog:
    """Of one tenant or of all; the counts end at ``COUNTED``. What is quiet is not late."""
    now = db_now()
    notices = Notice.objects.filter(tenant=tenant) if tenant else Notice.objects.all()
    waiting = notices.filter(state=Notice.State.WAITING)
    untried = waiting.filter(attempts=0, next_attempt_at__lte=now - QUIET, leased_until=None)
    due = untried.aggregate(at=Min("next_attempt_at"))["at"]
    return Backlog(
        late=now - due - QUIET if due else timedelta(0),
        waiting=waiting[:COUNTED].count(),
        failed=notices.filter(state=Notice.State.FAILED)[:COUNTED].count(),
    )
