"""Reading and publishing policies."""

from collections.abc import Collection
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F

from ..clock import db_now
from ..models import Policy, PolicyVersion, Tenant, TriggerCondition, User
from ..permissions import require
from ..rules import DEFAULT_RULES, Rules
from ..rules_document import RulesInvalid
from .changes import Second
from .wishes import require_second

log = structlog.get_logger(__name__)

# A published version never changes, so that its id alone finds its rules.
_parsed: dict[UUID, Rules] = {}
PARSED_AT_MOST = 500


def rules_for(tenant: Tenant, domain: str) -> tuple[PolicyVersion | None, Rules | None]:
    """The version in force for ``domain`` and its rules; rules are None where there is none or it cannot be read."""
    version = versions_for(tenant, {domain})[domain]
    return version, rules_of(version)


def versions_for(tenant: Tenant, domains: Collection[str]) -> dict[str, PolicyVersion | None]:
    """Per domain the version in force, in one query: the domain's own policy goes before the tenant's."""
    in_force = PolicyVersion.objects.filter(
        policy__tenant=tenant, policy__domain__in={"", *domains}, number=F("policy__version")
    )
    by_domain = {version.policy.domain: version for version in in_force.select_related("policy")}
    return {domain: by_domain.get(domain) or by_domain.get("") for domain in domains}


def rules_of(version: PolicyVersion | None) -> Rules | None:
    """The rules of a published version; None where there is none or it cannot be read."""
    if version is None:
        return None
    if version.pk not in _parsed:
        if len(_parsed) >= PARSED_AT_MOST:
            _parsed.clear()
        try:
            _parsed[version.pk] = Rules.from_document(version.document, check_conditions=False)
        except RulesInvalid as error:
            log.error("policy_unreadable", policy_version=str(version.pk), errors=error.errors)
            return None
    return _parsed[version.pk]


@transaction.atomic
def publish(policy: Policy, *, actor: User, reason: str, second: Second | None = None) -> PolicyVersion:
    """Save ``policy`` as its next version; every later draft is judged by it. Conditions must be saved before.

    One that was never saved starts with the default conditions: without them, nothing but their small weights in the
    mean would speak against a draft that a classifier or a judge refuses.

    Raises ``Denied``, and ``SecondNeeded`` where the tenant asks for four eyes and ``second`` is nobody.
    """
    require(actor, "change_policy", policy.tenant)
    require_second(policy, actor=actor, reason=reason, second=second)
    is_new = policy._state.adding
    if not is_new:
        policy.version = Policy.objects.select_for_update(no_key=True).get(pk=policy.pk).version
    policy.version += 1
    policy.save_as(actor, reason)
    if is_new:
        _add_default_conditions(policy, actor, reason)
    version = PolicyVersion(
        policy=policy,
        number=policy.version,
        document=policy.document(),
        published_by=actor,
        published_at=db_now(),
        reason=reason[:200],
    )
    Rules.from_document(version.document)  # Refuses what no draft could be judged by.
    version.save(force_insert=True)
    return version


def _add_default_conditions(policy: Policy, actor: User, reason: str) -> None:
    for position, condition in enumerate(DEFAULT_RULES.conditions):
        TriggerCondition(
            policy=policy,
            position=position,
            name=condition.name,
            trigger=condition.trigger,
            expression=condition.expression,
        ).save_as(actor, reason)
