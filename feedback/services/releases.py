"""Where each release of a tenant stands: its cautious start, the rules in force for it, and what people found so far.

Counted from the hourly sums within ``route_quality.WINDOW``, in a fixed number of queries; nothing is written.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from cases.clock import db_now
from cases.models import PolicyVersion, Release, Tenant
from cases.rules import Rules
from cases.services import policies

from ..advisor.intervals import Sums
from ..metrics.definitions import Dimension
from ..models import RouteQuality
from ..route_quality import PRIOR, WINDOW, quality

SHOWN = 20  # releases on a page, the newest first
DOMAINS = 10  # of a release, those with the most cases

_FACTS = f"""
    SELECT key, domain, sum(opened), sum(automatic), sum(audited), sum(audit_errors), sum(audit_weight),
        sum(audit_weight_squares), sum(audit_error_weight), sum(audit_error_weight_squares)
    FROM feedback_metrichour
    WHERE tenant_id = %(tenant)s AND dimension = '{Dimension.RELEASE}' AND hour >= %(start)s
      AND key = ANY(%(releases)s)
    GROUP BY 1, 2 HAVING sum(opened) + sum(reviewed) > 0
"""


@dataclass(frozen=True)
class InDomain:
    """A release in one domain, within the window. ``rules`` is None where no policy can be read: nothing passes there.

    ``seen`` are the sampled automatic approvals that people looked at, ``quality`` what triage is told.
    """

    domain: str
    rules: Rules | None
    is_own_policy: bool
    reviews: int
    cases: int = 0
    passed: int = 0
    seen: Sums = field(default_factory=Sums)
    quality: float = PRIOR

    @property
    def is_cautious(self) -> bool:
        return self.rules is None or self.rules.is_cautious(self.reviews)

    @property
    def needed(self) -> int:
        """The reviews after which the cautious start ends."""
        return self.rules.new_release_reviews if self.rules else 0

    @property
    def threshold(self) -> float | None:
        return self.rules.threshold_for(self.reviews) if self.rules else None

    @property
    def sampling(self) -> float | None:
        return self.rules.sampling_for(self.reviews) if self.rules else None


@dataclass(frozen=True)
class Standing:
    """A release with its domains, the one with the most cases first; without any, as if in a domain of no policy."""

    release: Release
    domains: Sequence[InDomain]
    left_out: int


def standings(tenant: Tenant, releases: Sequence[Release]) -> list[Standing]:
    """``releases`` of ``tenant`` in their order. Three queries."""
    facts = _facts(tenant, releases)
    domains = {domain for found in facts.values() for domain in found} | {""}
    versions = policies.versions_for(tenant, domains)
    qualities = {
        (row.release_id, row.domain): quality(row.seen)
        for row in RouteQuality.objects.filter(tenant=tenant, release__in=releases)
    }
    return [_standing(release, facts.get(release.pk, {}), versions, qualities) for release in releases]


def _standing(
    release: Release,
    facts: Mapping[str, tuple[int, int, Sums]],
    versions: Mapping[str, PolicyVersion | None],
    qualities: Mapping[tuple[UUID, str], float],
) -> Standing:
    largest = sorted(facts, key=lambda domain: (-facts[domain][0], domain))
    found = []
    for domain in largest[:DOMAINS] or [""]:
        cases, passed, seen = facts.get(domain, (0, 0, Sums()))
        version = versions[domain]
        found.append(
            InDomain(
                domain=domain,
                rules=policies.rules_of(version),
                is_own_policy=bool(version and version.policy.domain),
                reviews=release.reviews,
                cases=cases,
                passed=passed,
                seen=seen,
                quality=qualities.get((release.pk, domain), PRIOR),
            )
        )
    return Standing(release, found, max(0, len(largest) - DOMAINS))


def _facts(tenant: Tenant, releases: Sequence[Release]) -> dict[UUID, dict[str, tuple[int, int, Sums]]]:
    """Per release and domain: its cases, those approved automatically, and what people found of the sampled ones."""
    found: dict[UUID, dict[str, tuple[int, int, Sums]]] = defaultdict(dict)
    values = {
        "tenant": tenant.pk,
        "start": db_now() - WINDOW,
        "releases": [str(release.pk) for release in releases],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, values)
        for key, domain, cases, passed, n, errors, w, w2, we, w2e in cursor.fetchall():
            seen = Sums(int(n), float(w), float(w2), int(errors), float(we), float(w2e))
            found[UUID(key)][domain] = (int(cases), int(passed), seen)
    return found
