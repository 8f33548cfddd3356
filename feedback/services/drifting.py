"""The watch over new releases: each is compared with what was before it, again and again, and what moved is told once.

A look reads, computes and stores in one transaction; a second worker passes the release by. That it looks often costs
nothing: the test is made for it (``drift.testing``).
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber
from django.urls import reverse

from cases.clock import db_now
from cases.models import Membership, Release, Tenant
from cases.services.notices import News, tell
from cases.vocabulary import Role

from ..drift.causes import Changes
from ..drift.findings import WATCHED, Finding, find
from ..drift.wording import sentence
from ..models import DriftAlert, DriftLook
from . import drift_facts, drift_replay
from .drift_facts import Span, Way

BEFORE = timedelta(days=28)
WATCHED_FOR = timedelta(days=28)  # from the first draft of a release on
EVERY = timedelta(hours=1)
RELEASES = 10  # of a tenant, the newest
TOLD = 20  # people
KIND = "release.drift"
MODEL, PROMPT, RETRIEVAL = "the model", "the prompt", "retrieval"
CHANGED = {"model": MODEL, "version": MODEL, "prompt_version": PROMPT, "retrieval_version": RETRIEVAL}


def looks_of(tenant: Tenant, most: int) -> list[DriftLook]:
    """The releases of ``tenant`` that were looked at, the newest first."""
    return list(
        DriftLook.objects.filter(tenant=tenant).select_related("release").order_by("-release__first_seen_at")[:most]
    )


def sweep(*, seconds: float = 60) -> int:
    """Look at what is due, for so long at most, what has waited longest first; returns how many were looked at."""
    ends, done = time.monotonic() + seconds, 0
    for release_id in _due():
        if time.monotonic() > ends:
            break
        done += look(release_id) is not None
    return done


def _due() -> Sequence[UUID]:
    now = db_now()
    newest = (
        Release.objects.filter(first_seen_at__gt=now - WATCHED_FOR, tenant__is_active=True)
        .annotate(place=Window(RowNumber(), partition_by="tenant", order_by=F("first_seen_at").desc()))
        .filter(place__lte=RELEASES)
        .values("pk")
    )
    rows = Release.objects.filter(pk__in=newest).filter(Q(drift_look=None) | Q(drift_look__looked_at__lte=now - EVERY))
    return list(rows.order_by(F("drift_look__looked_at").asc(nulls_first=True), "pk").values_list("pk", flat=True))


@transaction.atomic
def look(release_id: UUID) -> DriftLook | None:
    """Compare one release with what was before it and tell what is new; None if somebody else is at it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"drift:{release_id}"])
        if not cursor.fetchone()[0]:
            return None
    release = Release.objects.select_related("tenant").get(pk=release_id)
    now = db_now()
    span = span_of(release, now)
    before, after = (drift_facts.ways(span, is_after=is_after) for is_after in (False, True))
    findings, report = [], {}
    if before and after:
        findings, report = _compare(span, before, after)
    _tell(span, findings)
    found, _ = DriftLook.objects.update_or_create(
        release=release,
        defaults={
            "tenant": release.tenant,
            "looked_at": now,
            "report": report | {"findings": [finding.to_json() for finding in findings]},
        },
    )
    return found


def span_of(release: Release, now: datetime) -> Span:
    return Span(
        release=release,
        since=release.first_seen_at - BEFORE,
        at=release.first_seen_at,
        until=min(now, release.first_seen_at + WATCHED_FOR),
        now=now,
        zone=release.tenant.time_zone,
    )


def _compare(span: Span, before: Sequence[Way], after: Sequence[Way]) -> tuple[list[Finding], dict]:
    predecessor = _predecessor(before, after)
    changed = {words for part, words in CHANGED.items() if getattr(predecessor, part) != getattr(span.release, part)}
    policies = drift_replay.policies_of(before, after)
    groups = drift_facts.groups_of(span, drift_facts.signal_of(before, after))
    replay = drift_replay.replay(span, policies) if policies.changed else None
    changes = {name: _changes(name, changed, policies, replay) for name in WATCHED}
    known = DriftAlert.objects.filter(release=span.release).values_list("metric", flat=True)
    findings = find(groups, changes, known=known)
    return findings, {
        "before": str(predecessor),
        "changed": [name for name in (MODEL, PROMPT, RETRIEVAL) if name in changed]
        + (["the policy"] if policies.changed else []),
    }


def _predecessor(before: Iterable[Way], after: Iterable[Way]) -> Release:
    """The release that drafted most of what was before, in the domains of now."""
    domains = {way.domain for way in after}
    counts: Counter[UUID] = Counter()
    for way in before:
        counts[way.release_id] += way.cases if way.domain in domains else 0
    return Release.objects.get(pk=counts.most_common(1)[0][0])


def _changes(
    name: str, changed: set[str], policies: drift_replay.Policies, replay: drift_replay.Replay | None
) -> Changes:
    return Changes(
        model=bool(changed & {MODEL, PROMPT}),
        retrieval=RETRIEVAL in changed,
        policy=bool(policies.changed),
        replay=replay.of.get(name) if replay else None,
        faithful=replay.faithful if replay else 1.0,
        same_policy=policies.same,
    )


def _tell(span: Span, findings: Iterable[Finding]) -> None:
    release = span.release
    known = set(DriftAlert.objects.filter(release=release).values_list("metric", flat=True))
    alerts = [_alert(release, finding, span.now) for finding in findings if finding.is_drift]
    alerts = DriftAlert.objects.bulk_create([one for one in alerts if one.metric not in known])
    people = _supervisors(release.tenant_id) if alerts else []
    tell(
        [
            News(
                tenant_id=release.tenant_id,
                kind=KIND,
                text=f"{sentence(Finding.from_json(alert.report))} Release {release}.",
                key=f"{KIND}:{alert.pk}",
                to=people,
                path=page_of(release),
            )
            for alert in alerts
        ]
    )


def page_of(release: Release) -> str:
    return f"{reverse('admin:feedback_drift')}?release={release.pk}"


def _alert(release: Release, finding: Finding, now: datetime) -> DriftAlert:
    return DriftAlert(
        tenant=release.tenant,
        release=release,
        at=now,
        report=finding.to_json(),
        **{name: getattr(finding, name) for name in DriftAlert.OF_THE_FINDING},
    )


def _supervisors(tenant_id: UUID) -> list[UUID]:
    members = Membership.objects.filter(
        tenant=tenant_id, is_active=True, user__is_active=True, roles__contains=[Role.SUPERVISOR]
    )
    return list(members.order_by("user").values_list("user", flat=True)[:TOLD])


def findings_of(report: Mapping) -> list[Finding]:
    """What a look kept."""
    return [Finding.from_json(kept) for kept in report.get("findings", ())]
