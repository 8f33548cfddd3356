"""Legal holds: what may not be erased, whoever asks. They win over periods and over a customer's request."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..clock import db_now
from ..errors import CountersignError, IllegalState
from ..models import Case, Content, LegalHold, Tenant, User
from ..permissions import require
from .subjects import Subject
from .switch import ReasonMissing


class HoldInvalid(CountersignError):
    code = "hold_invalid"
    title = "This hold cannot be placed"


class NotHeld(IllegalState):
    code = "hold_released"
    title = "This hold does not stand any more"


def fence(tenant: Tenant) -> None:
    """Holds and erasures of a tenant come one after the other, until the transaction ends: a hold that is being placed
    is not missed. Nothing else waits for it."""
    Tenant.with_sandbox.select_for_update(no_key=True).get(pk=tenant.pk)


@transaction.atomic
def place(tenant: Tenant, *, case: Case | None = None, reference: str = "", reason: str, actor: User) -> LegalHold:
    """Hold the texts of ``case``, or of all cases, later ones too, of the customer with ``reference``.

    Raises ``Denied``, ``ReasonMissing`` and ``HoldInvalid``.
    """
    require(actor, "erase_customer", tenant)
    if not reason.strip():
        raise ReasonMissing("Say why it is held, without naming the person. Nothing was changed.")
    if (case is None) == (not reference.strip()) or (case is not None and case.tenant_id != tenant.pk):
        raise HoldInvalid("Name either a case of this tenant or a customer's reference. Nothing was changed.")
    fence(tenant)
    hold = LegalHold(
        tenant=tenant,
        case=case,
        customer_key=None if case else Subject(tenant, reference=reference).key,
        reason=reason.strip()[:200],
        placed_by=actor,
        placed_at=db_now(),
    )
    hold.save_as(actor, hold.reason)
    return hold


@transaction.atomic
def release(hold_id: UUID, *, reason: str, actor: User) -> LegalHold:
    """Let go of it: periods and requests count again. Raises ``Denied``, ``ReasonMissing`` and ``NotHeld``."""
    hold = LegalHold.objects.select_for_update(of=("self",), no_key=True).select_related("tenant").get(pk=hold_id)
    require(actor, "erase_customer", hold.tenant)
    if not reason.strip():
        raise ReasonMissing("Say why it is released. Nothing was changed.")
    if not hold.stands:
        raise NotHeld("It was released before. Nothing was changed.")
    hold.released_by, hold.released_at = actor, db_now()
    hold.save_as(actor, reason.strip())
    return hold


def on(tenant: Tenant, case_ids: Sequence[UUID]) -> QuerySet[LegalHold]:
    """The standing holds on these cases, or on the customer of any text of theirs."""
    keys = Content.objects.filter(case_id__in=case_ids, customer_key__isnull=False).values("customer_key")
    standing = LegalHold.objects.filter(tenant=tenant, released_at=None)
    return standing.filter(Q(case__in=case_ids) | Q(customer_key__in=keys))


def is_held(case_id: str = "case_id") -> Q:
    """As a condition on rows of ``Content``: a hold stands on their case, or on the customer of any text of it."""
    texts = Content.objects.filter(case_id=OuterRef(OuterRef(case_id)), customer_key=OuterRef("customer_key"))
    standing = LegalHold.objects.filter(tenant=OuterRef("tenant"), released_at=None)
    return Q(Exists(standing.filter(Q(case=OuterRef(case_id)) | Q(Exists(texts)))))


def held_among(case_ids: Sequence[UUID]) -> QuerySet:
    """Those of these cases on which a hold stands."""
    own = Content.objects.filter(case_id__in=case_ids, owner=Content.Owner.CASE)
    return own.filter(is_held()).values_list("case_id", flat=True)
