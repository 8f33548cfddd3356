"""Shadow policies: they judge what comes in beside the policy in force, and nothing follows from it.

A shadow works within the intake, since only there are the facts those that triage had; whatever fails in it is logged
and left out, and the intake goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from cases.clock import db_now
from cases.errors import IllegalState
from cases.models import Case, CaseEvent, Tenant, User
from cases.permissions import require
from cases.rules import Rules
from cases.services import judging
from cases.services.events import Happening
from cases.triage import Automation, Facts, triage
from cases.wire.intake import Intake

from ..models import ShadowPolicy, ShadowVerdict

log = structlog.get_logger(__name__)

MOST = 3  # that run at once in a tenant: each one is work in every intake
LONG_KNOWN = 1_000_000  # reviews: no release is new any more
ON = Automation(allowed=True, why="a shadow asks what the policy says, not what the switch says")


class TooManyShadows(IllegalState):
    code = "too_many_shadows"
    title = "Too many shadow policies run"


class ShadowFixed(IllegalState):
    code = "shadow_fixed"
    title = "A shadow policy's rules do not change"


@transaction.atomic
def start(shadow: ShadowPolicy, *, actor: User, reason: str) -> ShadowPolicy:
    """Let a new shadow judge from now on. Raises ``Denied``, ``TooManyShadows`` and ``RulesInvalid``."""
    require(actor, "change_policy", shadow.tenant)
    _check_room(shadow)
    Rules.from_document(shadow.document)
    shadow.started_at = db_now()
    shadow.save_as(actor, reason)
    return shadow


@transaction.atomic
def change(shadow: ShadowPolicy, *, actor: User, reason: str) -> ShadowPolicy:
    """End a shadow, run it again or rename it. Raises ``Denied``, ``TooManyShadows`` and ``ShadowFixed``."""
    require(actor, "change_policy", shadow.tenant)
    stored = ShadowPolicy.objects.select_for_update(no_key=True).get(pk=shadow.pk)
    if any(getattr(stored, name) != getattr(shadow, name) for name in ("document", "policy_id", "trusts_releases")):
        raise ShadowFixed("What it has seen belongs to its rules. Nothing was changed. Start another one.")
    if shadow.is_active and not stored.is_active:
        _check_room(shadow)
    shadow.save_as(actor, reason)
    return shadow


def _check_room(shadow: ShadowPolicy) -> None:
    Tenant.objects.select_for_update(no_key=True).get(pk=shadow.tenant_id)  # Two that start at once come in turn.
    if ShadowPolicy.objects.filter(tenant=shadow.tenant_id, is_active=True).exclude(pk=shadow.pk).count() >= MOST:
        raise TooManyShadows(f"{MOST} shadow policies run in this tenant. End one of them. Nothing was changed.")


# --- within an intake ------------------------------------------------------------------------------------------------


def on_events(happenings: Sequence[Happening]) -> dict[UUID, dict[str, Any]]:
    """The event seam's receiver: judge new cases by the shadows of their tenant. Answers nothing and raises nothing."""
    opened = [
        one
        for one in happenings
        if one.event.kind == CaseEvent.Kind.OPENED and one.case.purpose == Case.Purpose.REAL and one.payload
    ]
    tenant = opened[0].case.tenant if opened else None
    shadows = list(ShadowPolicy.objects.filter(tenant=tenant, is_active=True)[:MOST]) if tenant else []
    if shadows:  # Most tenants have none: for them, one question is all that it costs.
        try:
            with transaction.atomic():  # A savepoint: a statement that fails would end the intake.
                _judge(tenant, shadows, opened)
        except Exception as error:  # Whatever it is, it is the shadow's matter alone.
            log.exception("shadow_failed", error=type(error).__name__)
    return {}


def _judge(tenant: Tenant, shadows: Sequence[ShadowPolicy], opened: Sequence[Happening]) -> None:
    pairs = [(one, [shadow for shadow in shadows if _concerns(shadow, one)]) for one in opened]
    watched = [(one, found) for one, found in pairs if found]
    if not watched:
        return
    facts = judging.facts_of(tenant, [(_intake(one), one.draft.release) for one, _ in watched])
    ShadowVerdict.objects.bulk_create(
        verdict
        for (one, found), known in zip(watched, facts, strict=True)
        for verdict in _verdicts(one, found, known, one.event.at)
    )


def _concerns(shadow: ShadowPolicy, one: Happening) -> bool:
    version, release = one.draft.policy_version, one.draft.release
    return (
        version is not None
        and version.policy_id == shadow.policy_id
        and shadow.release_model in ("", release.model)
        and shadow.release_version in ("", release.version)
    )


def _intake(one: Happening) -> Intake:
    values = dict(one.payload)
    return Intake(raw=values.pop("raw", {}), values=values)


def _verdicts(one: Happening, shadows: Sequence[ShadowPolicy], facts: Facts, at: datetime) -> Iterator[ShadowVerdict]:
    for shadow in shadows:
        known = replace(facts, release_reviews=LONG_KNOWN) if shadow.trusts_releases else facts
        result = triage(known, _rules(shadow.pk), automation=ON)
        yield ShadowVerdict(
            shadow=shadow,
            draft=one.draft,
            route=result.route,
            confidence=result.confidence.value,
            triggers=[trigger.value for trigger in result.triggers],
            conditions=[name[:60] for name in result.conditions],
            at=at,
        )


@lru_cache(maxsize=200)
def _rules(shadow_id: UUID) -> Rules:
    """The rules of a shadow, which never change."""
    document = ShadowPolicy.objects.values_list("document", flat=True).get(pk=shadow_id)
    return Rules.from_document(document, check_conditions=False)
