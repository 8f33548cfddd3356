"""The door's own record, and what an admin does for somebody who cannot get in: unlock, reset, sign out everywhere.

Everything here concerns the person and not one tenant: whoever does it for somebody else may change people in every
tenant that the person belongs to.
"""

from collections.abc import Sequence

from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..client_address import client_address
from ..clock import db_now
from ..errors import CountersignError, NotPermitted
from ..history import current_request
from ..models import AccessEvent, BackupCode, Tenant, User
from ..models.people import system_actor
from ..permissions import require, require_platform

PASSWORD, PROVIDER = "password", "identity provider"  # ways to sign in
SHOWN = 20
FAILURES_KEPT = 50


class ReasonMissing(CountersignError):
    code = "reason_missing"
    title = "A reason is needed"


class NotForYourself(NotPermitted):
    """An admin's reset of their own second factor would be no second factor."""

    code = "not_for_yourself"


# --- the record -------------------------------------------------------------------------------------------------------


def note(
    user: User,
    kind: AccessEvent.Kind,
    *,
    actor: User | None = None,
    request: HttpRequest | None = None,
    way: str = "",
    reason: str = "",
) -> AccessEvent:
    """Keep what happened at ``user``'s door; without ``actor`` it was they themselves."""
    return AccessEvent.objects.create(
        user=user,
        kind=kind,
        at=db_now(),
        actor=actor or user,
        way=way[:40],
        address=client_address(request) if request is not None else None,
        reason=reason.strip()[:200],
        request_id=current_request(),
    )


def on_signed_in(request: HttpRequest | None, user: User, **_: object) -> None:
    """The receiver of ``user_logged_in``. ``request.sign_in_way`` says by what, where it was more than a password."""
    note(user, AccessEvent.Kind.SIGNED_IN, request=request, way=getattr(request, "sign_in_way", PASSWORD))


def on_signed_out(request: HttpRequest | None, user: User | None, **_: object) -> None:
    """The receiver of ``user_logged_out``; ``request.signed_out_because`` says why, where nobody asked for it."""
    if user is not None:
        note(user, AccessEvent.Kind.SIGNED_OUT, request=request, reason=getattr(request, "signed_out_because", ""))


def on_failed(sender: object, credentials: dict[str, str], request: HttpRequest | None = None, **_: object) -> None:
    """The receiver of ``user_login_failed``: a wrong password or code for a person that there is.

    Of a flood the first ``FAILURES_KEPT`` in the time of a lock are kept for each person; the lock itself is a row too.
    """
    user = User.objects.filter(username=credentials.get("username") or "", kind=User.AccountKind.PERSON).first()
    if user is None:
        return
    since = db_now() - settings.AXES_COOLOFF_TIME
    if user.access_events.filter(kind=AccessEvent.Kind.FAILED, at__gte=since)[:FAILURES_KEPT].count() < FAILURES_KEPT:
        note(user, AccessEvent.Kind.FAILED, actor=system_actor(), request=request)


def on_locked_out(request: HttpRequest | None, username: str | None, **_: object) -> None:
    """The receiver of axes' ``user_locked_out``, which comes with every further try: one row for each lock.

    A name that nobody has leaves none; the answer is the same.
    """
    user = User.objects.filter(username=username, kind=User.AccountKind.PERSON).first() if username else None
    if user is None:
        return
    address = client_address(request) if request is not None else None
    since = db_now() - settings.AXES_COOLOFF_TIME
    if not user.access_events.filter(kind=AccessEvent.Kind.LOCKED, address=address, at__gte=since).exists():
        note(user, AccessEvent.Kind.LOCKED, actor=system_actor(), request=request)


def latest_of(user: User) -> Sequence[AccessEvent]:
    """The newest events of one person, for their own page and their admin's."""
    return user.access_events.select_related("actor").order_by("-id")[:SHOWN]


# --- locks ------------------------------------------------------------------------------------------------------------


def locks_of(user: User) -> QuerySet[AccessAttempt]:
    """The failed tries that keep ``user`` out at this moment, one row for each address they came from."""
    began = db_now() - settings.AXES_COOLOFF_TIME
    return AccessAttempt.objects.filter(
        username=user.username, failures_since_start__gte=settings.AXES_FAILURE_LIMIT, attempt_time__gte=began
    )


@transaction.atomic
def unlock(user: User, *, actor: User, reason: str) -> int:
    """Forget the failed tries of ``user``; returns from how many addresses. Raises ``Denied`` and ``ReasonMissing``."""
    _check(user, actor, reason)
    count, _ = AccessAttempt.objects.filter(username=user.username).delete()
    TOTPDevice.objects.filter(user=user).update(throttling_failure_count=0, throttling_failure_timestamp=None)
    note(user, AccessEvent.Kind.UNLOCKED, actor=actor, reason=reason)
    return count


# --- second factor and sessions ---------------------------------------------------------------------------------------


@transaction.atomic
def reset_second_factor(user: User, *, actor: User, reason: str) -> None:
    """Take the second factor of somebody who lost it away, with its backup codes, and end their sessions.

    Raises ``Denied``, ``ReasonMissing``, and ``NotForYourself``: one's own is taken away by its code.
    """
    _check(user, actor, reason)
    if user.pk == actor.pk:
        raise NotForYourself("Take your own second factor away on its page, or ask another admin. Nothing was changed.")
    TOTPDevice.objects.filter(user=user).delete()
    BackupCode.objects.filter(user=user).delete()
    _end_sessions(user)
    note(user, AccessEvent.Kind.FACTOR_RESET, actor=actor, reason=reason)


@transaction.atomic
def sign_out_everywhere(user: User, *, actor: User, reason: str = "") -> None:
    """End every session of ``user``, at once; one's own without a reason. API tokens are revoked on their own page."""
    if user.pk != actor.pk:
        _check(user, actor, reason)
    _end_sessions(user)
    note(user, AccessEvent.Kind.SESSIONS_ENDED, actor=actor, reason=reason)


def _end_sessions(user: User) -> None:
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])


def _check(user: User, actor: User, reason: str) -> None:
    places = list(Tenant.objects.filter(memberships__user=user).distinct().order_by("pk"))
    if user.is_superuser or not places:
        require_platform(actor, "change_people")
    for place in places:
        require(actor, "change_people", place)
    if not reason.strip():
        raise ReasonMissing("Say why: it stands in the record of this person's sign-ins. Nothing was changed.")
