"""What waits for one person: the actions that they could sign at this moment."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from cases.clock import db_now
from cases.models import User
from cases.permissions import tenants_of
from cases.services.members import stands_in_for
from cases.vocabulary import Risk

from ..models import ActionVote, ApprovalAuthority, ProposedAction
from ..states import ActionState
from . import authorities


def waiting_for(actor: User, actions: QuerySet[ProposedAction]) -> QuerySet[ProposedAction]:
    """Those of ``actions`` that ``actor`` may approve now: ``signing.approve`` as a condition.

    By an authority of their own or of somebody for whom they stand in; never their own proposals, and nothing that they
    have signed already. The step-up that a high impact asks for is not counted.
    """
    if not (actor.is_person and actor.is_active):
        return actions.none()
    now = db_now()
    tenants = list(tenants_of(actor, "view_action"))
    within = _within(authorities.exercisable(actor, [tenant.pk for tenant in tenants]))
    for tenant in tenants:
        for absent in stands_in_for(actor, tenant, now):
            lent = _within(authorities.exercisable(absent, [tenant.pk]))
            within |= lent & ~Q(proposer=absent) & ~Exists(_signed_by(absent))
    waiting = actions.filter(state=ActionState.PENDING_APPROVAL, expires_at__gt=now).exclude(proposer=actor)
    return waiting.filter(within).exclude(Exists(_signed_by(actor).filter(voter=actor)))


def _within(held: QuerySet[ApprovalAuthority]) -> Q:
    """The reach of these authorities as a condition on actions; that of none lets nothing through."""
    reach = Q(pk__in=[])
    for authority in held:
        covered = [risk for risk in Risk if risk.rank <= Risk(authority.max_impact).rank]
        money = Q(amount=None)
        if authority.max_amount is not None:
            money |= Q(currency=authority.currency, amount__lte=authority.max_amount)
        reach |= money & Q(
            action_type=authority.action_type_id, impact__in=covered, authority_code__in=("", authority.code)
        )
    return reach


def _signed_by(person: User) -> QuerySet[ActionVote]:
    """The approvals of what stands on the outer action by ``person`` or on their behalf, not taken back since."""
    of_now = ActionVote.objects.filter(action=OuterRef("pk"), payload_hash=OuterRef("payload_hash"))
    later = ActionVote.objects.filter(
        action=OuterRef("action"), payload_hash=OuterRef("payload_hash"), voter=OuterRef("voter"), id__gt=OuterRef("id")
    )
    by = Q(voter=person) | Q(on_behalf_of=person)
    return of_now.filter(by, ~Exists(later), verdict=ActionVote.Verdict.APPROVE)
