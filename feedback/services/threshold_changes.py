"""Changes of a policy that a person makes on evidence: the advised threshold, and what came of it.

Advice never acts by itself. What it stood on is kept with the version that follows from it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from cases.clock import db_now
from cases.models import Policy, PolicyVersion, User
from cases.permissions import require
from cases.services.policies import publish

from ..advisor.intervals import predicted
from ..advisor.wording import threshold_words
from ..errors import AdviceOutdated
from ..models import ThresholdEvidence
from .advising import Advice, advise, read_groups
from .staffing_change import of_threshold


def locked_policy(policy_id: UUID, version: int, *, actor: User) -> Policy:
    """The policy, to be changed by ``actor``, as they saw it. Raises ``Denied`` and ``AdviceOutdated``."""
    policy = Policy.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant").get(pk=policy_id)
    require(actor, "change_policy", policy.tenant)
    if policy.version != version:
        raise AdviceOutdated("Somebody has published another version of this policy. Nothing was changed. Look again.")
    return policy


@transaction.atomic
def apply(policy_id: UUID, *, days: int, threshold: float, version: int, actor: User, reason: str) -> ThresholdEvidence:
    """Publish the recommended ``threshold`` as the policy's next version, with the evidence kept beside it.

    The evidence is read again: it must still recommend what the person saw. Raises ``Denied`` and ``AdviceOutdated``.
    """
    policy = locked_policy(policy_id, version, actor=actor)
    advice = advise(policy, days)
    one = advice.recommendation
    if not one.acts or one.level.threshold != threshold:
        raise AdviceOutdated("New decisions have changed the advice. Nothing was changed. Look again.")
    before, staffing = policy.auto_approve_above, of_threshold(policy, one)
    policy.auto_approve_above = threshold
    if policy.new_release_threshold is not None and policy.new_release_threshold < threshold:
        policy.new_release_threshold = threshold  # A new release is never judged more mildly.
    published = publish(policy, actor=actor, reason=f"threshold {threshold_words(threshold)}, as advised: {reason}")
    report = {"staffing": staffing.to_json()} if staffing else {}
    return keep(advice, published, ThresholdEvidence.Kind.THRESHOLD, before=before, actor=actor, report=report)


def keep(
    advice: Advice,
    published: PolicyVersion,
    kind: ThresholdEvidence.Kind,
    *,
    before: float,
    actor: User,
    **more: Any,
) -> ThresholdEvidence:
    """Store why ``published`` was published."""
    report = advice.to_json() | more.pop("report", {})
    return ThresholdEvidence.objects.create(
        tenant=advice.policy.tenant,
        policy_version=published,
        kind=kind,
        since=advice.start,
        until=advice.end,
        cases=advice.cases,
        tolerated_error=advice.policy.tolerated_error,
        threshold_before=before,
        threshold_after=published.document["auto_approve_above"],
        report=report,
        applied_by=actor,
        applied_at=published.published_at,
        **more,
    )


@dataclass(frozen=True)
class Since:
    """What people have seen of the automatic approvals since a change, and how many errors it let expect among them."""

    looked_at: int
    errors: int
    least: int
    most: int

    @property
    def is_as_expected(self) -> bool:
        return self.least <= self.errors <= self.most


def since(evidence: ThresholdEvidence) -> Since | None:
    """None for a change that stated no error."""
    level = evidence.report.get("level") or {}
    if evidence.kind != ThresholdEvidence.Kind.THRESHOLD or level.get("error") is None:
        return None
    policy = evidence.policy_version.policy
    groups, _, _ = read_groups(policy, evidence.applied_at, db_now(), only=evidence.policy_version_id)
    n = sum(group.seen.n for group in groups if group.was_automatic)
    errors = sum(group.seen.errors for group in groups if group.was_automatic)
    least, most = predicted(level["error"] * level["effective"], level["effective"], n)
    return Since(n, errors, least, most)
