"""What waits for one person: the actions that they could sign now, and the results that nobody knows.

``signable_by`` is ``authorities.standing`` and the four-eyes rules over many rows in one statement; a test holds the
two against each other.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import CharField, DecimalField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet

from cases.models import Membership, User
from cases.vocabulary import Risk

from ..models import ActionVote, ApprovalAuthority, ProposedAction
from ..states import ActionState
from .authorities import held_by

DEPUTIES = 20  # people for whom one may stand in at once


def signable_by(actor: User, tenant_ids: Collection[UUID], *, now: datetime) -> QuerySet[ProposedAction]:
    """The actions in these tenants that wait for approval and that ``actor`` could sign now, with their own authority
    or that of somebody who is away. ``tenant_ids`` are those in which they may see actions."""
    if not (actor.is_person and actor.is_active):
        return ProposedAction.objects.none()
    waiting = ProposedAction.objects.filter(
        tenant__in=list(tenant_ids), state=ActionState.PENDING_APPROVAL, expires_at__gt=now
    ).exclude(proposer=actor)
    able = Q(Exists(_reaching(actor)))
    for absent in _absent(actor, tenant_ids, now):
        lends = Q(Exists(_reaching(absent.user)), tenant=absent.tenant_id) & ~Q(proposer=absent.user_id)
        able |= lends & ~Q(Exists(_signatures(absent.user, as_holder=True)))
    return waiting.filter(able).exclude(Exists(_signatures(actor)))


def unknown_in(tenant_ids: Collection[UUID]) -> QuerySet[ProposedAction]:
    """The actions in these tenants of which nobody knows whether they took place."""
    return ProposedAction.objects.filter(tenant__in=list(tenant_ids), state=ActionState.UNKNOWN)


def _reaching(holder: User) -> QuerySet[ApprovalAuthority]:
    """As ``authorities.reaching``, of the outer query's action, and held by ``holder``."""
    enough = Q()
    for impact in Risk:
        enough |= Q(asked_impact=impact, max_impact__in=[risk for risk in Risk if risk.rank >= impact.rank])
    asked = {
        "asked_impact": ExpressionWrapper(OuterRef("impact"), output_field=CharField()),
        "asked_code": ExpressionWrapper(OuterRef("authority_code"), output_field=CharField()),
        "asked_amount": ExpressionWrapper(OuterRef("amount"), output_field=DecimalField()),
        "asked_currency": ExpressionWrapper(OuterRef("currency"), output_field=CharField()),
    }
    found = ApprovalAuthority.objects.annotate(**asked).filter(
        enough,
        Q(asked_amount=None) | Q(currency=F("asked_currency"), max_amount__gte=F("asked_amount")),
        Q(asked_code="") | Q(code=F("asked_code")),
        tenant=OuterRef("tenant"),
        action_type=OuterRef("action_type"),
        is_active=True,
    )
    return held_by(holder, found)


def _signatures(person: User, *, as_holder: bool = False) -> QuerySet[ActionVote]:
    """The outer action's counting approvals by ``person``: under its present hash, and not taken back since.

    ``as_holder``: also those that somebody gave in their stead.
    """
    own = ActionVote.objects.filter(action=OuterRef("pk"), payload_hash=OuterRef("payload_hash"))
    later = ActionVote.objects.filter(
        action=OuterRef("action"), payload_hash=OuterRef("payload_hash"), voter=OuterRef("voter"), pk__gt=OuterRef("pk")
    )
    who = Q(voter=person) | Q(on_behalf_of=person) if as_holder else Q(voter=person)
    return own.filter(who, ~Exists(later), verdict=ActionVote.Verdict.APPROVE)


def _absent(actor: User, tenant_ids: Collection[UUID], now: datetime) -> list[Membership]:
    """As ``members.stands_in_for``, of several tenants."""
    away = Membership.objects.filter(
        delegate=actor, tenant__in=list(tenant_ids), is_active=True, user__is_active=True, away_from__lte=now
    ).filter(Q(away_until=None) | Q(away_until__gt=now))
    return list(away.select_related("user").order_by("away_from", "pk")[:DEPUTIES])
