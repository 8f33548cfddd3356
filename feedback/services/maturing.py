"""The report on maturity: per domain the figures of four quarters, and what they recommend. Only reads."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from cases.clock import db_now
from cases.models import Policy, Tenant

from ..agreement import krippendorff_alpha
from ..maturity import Stage, Standing, recommendation, stage_of
from ..metrics import quarters
from ..metrics.reading import zone_of
from .agreeing import pairings

QUARTERS = 4


@dataclass(frozen=True)
class DomainReport:
    """``standings`` by time; ``words`` and ``stage`` are of ``judged_by``, the latest quarter that says anything."""

    domain: str
    standings: Sequence[Standing]
    judged_by: Standing
    tolerated: float
    stage: Stage
    words: str


def report_of(tenant: Tenant, *, now: datetime | None = None) -> list[DomainReport]:
    """Each domain of the last four quarters, the present one included. A fixed number of queries."""
    zone, _ = zone_of(tenant)
    now = (now or db_now()).astimezone(ZoneInfo(zone))
    starts = _starts(now)
    found = [_local(one, zone) for one in quarters.standings(tenant, zone, starts[0], now)]
    agreement = _agreement(tenant, [*starts, now])
    found = [replace(one, **agreement.get((one.domain, one.quarter), {})) for one in found]
    tolerances = dict(Policy.objects.filter(tenant=tenant, version__gt=0).values_list("domain", "tolerated_error"))
    by_domain: dict[str, list[Standing]] = defaultdict(list)
    for one in found:
        by_domain[one.domain].append(one)
    return [
        _report(domain, rows, tolerances.get(domain, tolerances.get("", 0.0))) for domain, rows in by_domain.items()
    ]


def _report(domain: str, rows: Sequence[Standing], tolerated: float) -> DomainReport:
    speaking = [number for number, one in enumerate(rows) if one.says_something]
    at = speaking[-1] if speaking else len(rows) - 1
    one, before = rows[at], rows[at - 1] if at else None
    return DomainReport(domain, rows, one, tolerated, stage_of(one, tolerated), recommendation(one, tolerated, before))


def _starts(now: datetime) -> list[datetime]:
    """When the last quarters began, where the tenant is; the present one last."""
    year, quarter = now.year, (now.month - 1) // 3
    begun = []
    for _ in range(QUARTERS):
        begun.insert(0, now.replace(year, 3 * quarter + 1, 1, hour=0, minute=0, second=0, microsecond=0))
        year, quarter = (year, quarter - 1) if quarter else (year - 1, 3)
    return begun


def _local(one: Standing, zone: str) -> Standing:
    return replace(one, quarter=one.quarter.astimezone(ZoneInfo(zone)))


def _agreement(tenant: Tenant, edges: Sequence[datetime]) -> dict[tuple[str, datetime], dict]:
    """Per domain and quarter what two people said of the same cases."""
    found = {}
    for start, end in pairwise(edges):
        said: dict[str, list] = defaultdict(list)
        for pairing in pairings(tenant, now=end, window=end - start):
            said[pairing.domain].append(pairing.said)
        for domain, items in said.items():
            found[domain, start] = {"alpha": krippendorff_alpha(items), "twofold": len(items)}
    return found
