"""Four eyes on changes: where the tenant asks for it, what one person changes waits until another confirms it.

A service that is about to change such a thing raises ``SecondNeeded`` in place of it. That rolls everything back and
carries the change whole, so that the door can ``ask``; on ``confirm`` the same service makes the same change, in one
transaction, for the second person. Nobody confirms their own, superusers included; only what the system itself does
(an installation, a demo) needs no second person. What makes things safer at once never waits: a stop of automation, an
authority that is taken away. Resuming automation has requests of its own (``services.switch``), which a stop voids.

``settings.CHANGE_KINDS`` names what carries each kind out: a class with the ``model`` of its subject and
``carry_out(asked, second)``; and ``subjects(tenant, subject_id)`` where the key is not the subject's own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.urls import reverse
from django.utils.module_loading import import_string

from ..clock import db_now
from ..errors import CountersignError, IllegalState, NotPermitted
from ..history import current_request
from ..models import ChangeAnswer, ChangeRequest, Membership, Tenant, User
from ..permissions import TENANT_RIGHTS, allowed, require
from ..vocabulary import FourEyes
from .notices import News, tell

LIFE = timedelta(days=3)
TOLD = 100  # people
ROWS = 200  # differences of one change
Verdict = ChangeAnswer.Verdict


class OwnChange(NotPermitted):
    code = "own_change"
    title = "A second person has to confirm"


class NotWaiting(IllegalState):
    code = "change_not_waiting"
    title = "This change waits no longer"


class CannotApply(IllegalState):
    code = "change_cannot_apply"
    title = "This change no longer fits"


@dataclass(frozen=True)
class Second:
    """Who confirmed which request: what a service takes in place of raising ``SecondNeeded``."""

    asked: ChangeRequest
    by: User

    def __post_init__(self) -> None:
        if self.by.pk == self.asked.asked_by_id:
            raise OwnChange("You asked for this yourself: another person has to confirm it. Nothing was changed.")

    @property
    def reason(self) -> str:
        """For the history beside the second person's name."""
        return f"{self.asked.reason} (asked for by {self.asked.asked_by})"


@dataclass(frozen=True)
class Wish:
    """A change as the service would have made it. ``before`` and ``after`` are documents, compared for people."""

    kind: str
    tenant: Tenant
    right: str
    subject: models.Model  # unsaved for something new
    document: Mapping[str, Any]
    actor: User
    reason: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    is_new: bool = False
    subject_id: UUID | None = None  # The subject's own, where none is given.


class SecondNeeded(CountersignError):
    """Nothing was changed: ``wish`` waits to be asked for, once this has rolled everything back."""

    code = "second_person_needed"
    status = 409
    title = "A second person has to confirm"

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        super().__init__("Nothing has changed yet: another person has to confirm this.")


class Kind(Protocol):
    model: type[models.Model]

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None: ...


def needed(tenant: Tenant, what: FourEyes, actor: User, second: Second | None) -> bool:
    """Whether ``actor``'s change of ``what`` has to wait for a second person; as the tenant's row says now."""
    if second is not None or actor.is_system:
        return False
    return Tenant.objects.filter(pk=tenant.pk, four_eyes__contains=[what]).exists()


# --- asking -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def ask(wish: Wish) -> ChangeRequest:
    """Keep ``wish`` for a second person and tell those who may confirm it. Raises ``Denied``.

    Called by the doors, outside the transaction that ``SecondNeeded`` rolled back.
    """
    require(wish.actor, wish.right, wish.tenant)
    now, subject_id = db_now(), None if wish.is_new else wish.subject_id or wish.subject.pk
    asked = ChangeRequest.objects.create(
        tenant=wish.tenant,
        kind=wish.kind,
        right=wish.right,
        subject_id=subject_id,
        subject=str(wish.subject)[:200],
        base=_newest(_kind(wish.kind), wish.tenant, subject_id),
        document=_plain(wish.document),
        differences=differences(_plain(wish.before), _plain(wish.after)),
        reason=wish.reason.strip()[:200],
        asked_by=wish.actor,
        asked_at=now,
        expires_at=now + LIFE,
        request_id=current_request(),
    )
    tell(
        [
            News(
                tenant_id=wish.tenant.pk,
                kind="change.asked",
                text=f"{wish.actor} asks for a change that needs a second person: {asked.subject}"[:300],
                key=f"change.asked:{asked.pk}",
                to=_confirmers(asked),
                path=reverse("admin:cases_changerequest_change", args=[asked.pk]),
            )
        ]
    )
    return asked


def _confirmers(asked: ChangeRequest) -> list[UUID]:
    roles = [role.value for role, rights in TENANT_RIGHTS.items() if asked.right in rights]
    members = Membership.objects.filter(
        tenant=asked.tenant, is_active=True, user__is_active=True, roles__overlap=roles
    ).exclude(user=asked.asked_by)
    return list(members.order_by("user").values_list("user", flat=True)[:TOLD])


# --- answering --------------------------------------------------------------------------------------------------------


@transaction.atomic
def confirm(change_id: UUID, *, actor: User, reason: str = "") -> ChangeAnswer:
    """The second person agrees: the change is made now, or is void where its subject was changed meanwhile.

    Raises ``Denied``, ``OwnChange``, ``NotWaiting``, ``CannotApply`` and whatever the changing service refuses; then
    nothing is changed and the request goes on waiting.
    """
    asked = _waiting(change_id, actor)
    second = Second(asked, actor)
    if not allowed(asked.asked_by, asked.right, asked.tenant):
        raise NotWaiting(f"{asked.asked_by} may no longer ask for this. Nothing was changed; refuse it.")
    kind = _kind(asked.kind)
    if asked.subject_id and _newest(kind, asked.tenant, asked.subject_id) != asked.base:
        return _answer(asked, Verdict.OUTDATED, actor, reason)
    answer = _answer(asked, Verdict.CONFIRMED, actor, reason)
    try:
        kind.carry_out(asked, second)
    except ValidationError as error:
        raise CannotApply(f"It no longer fits: {' '.join(error.messages)} Nothing was changed.") from error
    return answer


@transaction.atomic
def refuse(change_id: UUID, *, actor: User, reason: str = "") -> ChangeAnswer:
    """Somebody with the right says no, or takes back their own wish. Raises ``Denied`` and ``NotWaiting``."""
    asked = _waiting(change_id, actor)
    return _answer(asked, Verdict.WITHDRAWN if asked.asked_by_id == actor.pk else Verdict.REFUSED, actor, reason)


def waiting(requests: models.QuerySet[ChangeRequest]) -> models.QuerySet[ChangeRequest]:
    """Those that somebody can still answer."""
    return requests.filter(answer=None, expires_at__gt=db_now())


def _waiting(change_id: UUID, actor: User) -> ChangeRequest:
    rows = ChangeRequest.objects.select_for_update(of=("self",)).select_related("tenant", "asked_by")
    asked = rows.filter(pk=change_id).first()
    if asked is None:
        raise NotWaiting("There is no such change. Nothing was changed.")
    require(actor, asked.right, asked.tenant)
    if ChangeAnswer.objects.filter(request=asked).exists() or asked.expires_at <= db_now():
        raise NotWaiting("This change was answered or waited too long. Nothing was changed. Ask again if it is wanted.")
    return asked


def _answer(asked: ChangeRequest, verdict: ChangeAnswer.Verdict, actor: User, reason: str) -> ChangeAnswer:
    return ChangeAnswer.objects.create(
        request=asked,
        verdict=verdict,
        by=actor,
        at=db_now(),
        reason=reason.strip()[:200],
        request_ref=current_request(),
    )


def _kind(name: str) -> Kind:
    return import_string(settings.CHANGE_KINDS[name])


def _newest(kind: Kind, tenant: Tenant, subject_id: UUID | None) -> int | None:
    """The subject's newest history row, under its lock: nobody changes it before this transaction ends."""
    if subject_id is None:
        return None
    find = getattr(kind, "subjects", None)
    subjects = find(tenant, subject_id) if find else kind.model._default_manager.filter(pk=subject_id)
    subject = subjects.select_for_update(no_key=True, of=("self",)).first()
    newest = subject and subject.history.order_by("-history_id").first()
    return newest.history_id if newest else None


# --- in words ---------------------------------------------------------------------------------------------------------


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON keeps it: two documents that were stored alike compare alike."""
    return json.loads(json.dumps(document, cls=DjangoJSONEncoder))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[list[str]]:
    """What changed, as rows of what, before and after; ``ROWS`` at most."""
    old, new = dict(_leaves(before) if before else ()), dict(_leaves(after) if after else ())
    names = list(dict.fromkeys([*old, *new]))
    rows = [[name, old.get(name, "–"), new.get(name, "–")] for name in names if old.get(name) != new.get(name)]
    return rows[:ROWS]


def _leaves(value: Any, path: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Every value with the words of its place; entries of a list that have a name stand under that."""
    if isinstance(value, Mapping) and value:
        return [leaf for key, one in value.items() for leaf in _leaves(one, (*path, str(key).replace("_", " ")))]
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        named = [(one.get("name") or f"no. {number}", one) for number, one in enumerate(value, start=1)]
        return [leaf for name, one in named for leaf in _leaves(one, (*path, str(name)))]
    if isinstance(value, list):
        return [(", ".join(path), "; ".join(map(_words, value)) or "none")]
    return [(", ".join(path), _words(value))]


def _words(value: Any) -> str:
    match value:
        case None | "" | {}:
            return "–"
        case bool():
            return "yes" if value else "no"
        case list():
            return ": ".join(map(str, value))
    return str(value)
