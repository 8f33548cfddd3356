"""What the page of drift shows of one release: its findings in words, each number with its cases, and the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cases.models import Tenant

from ..drift.causes import Cause
from ..drift.findings import Finding
from ..drift.wording import cause_words, interval_words, metric_of, moved_words, part_words, sentence, size_words
from ..metrics.definitions import BY_METRIC, Metric
from ..metrics.insights import Cell, cases_url, picture_of
from ..metrics.reading import HOUR, Question, full_hours, zone_of
from ..metrics.wording import value_words
from ..models import DriftLook
from ..services import drifting
from ..services.drift_facts import Span


@dataclass(frozen=True)
class Row:
    """One metric: ``parts`` are in the order of ``Cause``."""

    metric: Metric
    before: Cell
    after: Cell
    n: str
    change: str
    interval: str
    parts: list[str]
    moved: Cell | None
    reading: str
    is_drift: bool


def content_of(tenant: Tenant, look: DriftLook, metric: Metric) -> dict[str, Any]:
    """The context of the page's template. A fixed number of queries."""
    look.release.tenant = tenant
    span = drifting.span_of(look.release, look.looked_at)
    findings = drifting.findings_of(look.report)
    zone, _ = zone_of(tenant)
    first_day = span.since.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    sides = {
        "before": _question(tenant, zone, span.since, span.at),
        "after": _question(tenant, zone, span.at, span.until),
    }
    return {
        "look": look,
        "before": look.report.get("before", ""),
        "changed": look.report.get("changed", ()),
        "sentences": [sentence(finding) for finding in findings if finding.is_drift],
        "rows": [_row(tenant, sides, span, finding) for finding in findings],
        "causes": [cause.value for cause in Cause],
        "missing": [BY_METRIC[name].title for name in drifting.WATCHED if name not in {one.metric for one in findings}],
        "seen": picture_of(tenant, _question(tenant, zone, first_day, span.until), metric),
        "days": drifting.BEFORE.days,
    }


def _question(tenant: Tenant, zone: str, start: datetime, end: datetime) -> Question:
    start, end = full_hours(start, end, zone)
    return Question(tenant.pk, zone, start, max(end, start + HOUR))


def _row(tenant: Tenant, sides: Mapping[str, Question], span: Span, finding: Finding) -> Row:
    metric = metric_of(finding)
    of, own = f"{metric.name}.above", {"release": str(span.release.pk)}
    moved = None
    if words := moved_words(finding):
        domain = {"domain": finding.moved.segment[0]} if finding.moved.segment[0] != "*" else {}
        moved = Cell(words, cases_url(tenant, sides["after"], of, **own, **domain))
    return Row(
        metric=metric,
        before=Cell(value_words(metric, finding.before), cases_url(tenant, sides["before"], of)),
        after=Cell(value_words(metric, finding.after), cases_url(tenant, sides["after"], of, **own)),
        n=f"{finding.n_before:,} and {finding.n_after:,}",
        change=size_words(metric, finding.change),
        interval=interval_words(finding),
        parts=[part_words(finding, cause) for cause in Cause],
        moved=moved,
        reading=_reading(finding),
        is_drift=finding.is_drift,
    )


def _reading(finding: Finding) -> str:
    if finding.is_drift:
        return f"moved, {cause_words(finding)}"
    if finding.low <= 0 <= finding.high:
        return "no change is shown"
    return "moved perhaps: not surely enough among so many figures" if finding.is_worth_telling else "moved, but little"
