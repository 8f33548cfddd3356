"""Reading and publishing policies."""

from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F

from ..clock import db_now
from ..models import Policy, PolicyVersion, Tenant, User
from ..permissions import require
from ..rules import Rules
from ..rules_document import RulesInvalid

log = structlog.get_logger(__name__)

# A published version never changes, so that its id alone finds its rules.
_parsed: dict[UUID, Rules] = {}
PARSED_AT_MOST = 500


def rules_for(tenant: Tenant, domain: str) -> tuple[PolicyVersion | None, Rules | None]:
    """The version in force for ``domain`` and its rules; rules are None where there is none or it cannot be read."""
    version = (
        PolicyVersion.objects.filter(
            policy__tenant=tenant, policy__domain__in=("", domain), number=F("policy__version")
        )
        .order_by("-policy__domain")  # The domain's own before the tenant's: the empty name sorts last.
        .first()
    )
    return version, rules_of(version)


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
def publish(policy: Policy, *, actor: User, reason: str) -> PolicyVersion:
    """Save ``policy`` as its next version; every later draft is judged by it. Conditions must be saved before."""
    require(actor, "change_policy", policy.tenant)
    if not policy._state.adding:
        policy.version = Policy.objects.select_for_update().get(pk=policy.pk).version
    policy.version += 1
    policy.save_as(actor, reason)
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
