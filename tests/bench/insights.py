"""``python -m tests.bench.insights``: the insights page and ``GET metrics/`` at 1,000 and at 1,000,000 cases of a year.

Rows are written by SQL, two of three cases with a review; the sums are counted by ``rebuild_metrics``' own service.
Two weeks ago a new release came: the background's look at it is measured too.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from statistics import median

from .own_servers import own_servers

YEAR_MINUTES = 365 * 24 * 60
RARE = 5_000  # One case of so many missed its deadline.
LOOK = "look at a release, in the background"
PAGES = {
    "insights page, 4 weeks": "/admin/insights/",
    "insights page, 52 weeks": "/admin/insights/?days=364&metric=override_rate&by=release",
    "insights page, 52 weeks by reviewer": "/admin/insights/?days=364&by=reviewer",
    "cases behind a number, 4 weeks": "/admin/insights/cases/?tenant=bench&of=escalation_rate.above&{month}",
    "cases behind a rare number, 4 weeks": "/admin/insights/cases/?tenant=bench&of=sla_miss_rate.above&{month}",
    "cases behind a rare number, 52 weeks": "/admin/insights/cases/?tenant=bench&of=sla_miss_rate.above&{year}",
    "drift, one release": "/admin/feedback/driftalert/releases/",
    "maturity, four quarters": "/admin/maturity/",
    "releases page": "/admin/releases/",
    "staffing page": "/admin/staffing/",
    "API, every metric, 4 weeks": "/api/v1/metrics/",
    "API, one metric by day, 52 weeks": "/api/v1/metrics/?metric=escalation_rate&group_by=day&{year}",
    "API, percentiles, 52 weeks": "/api/v1/metrics/?metric=average_handling_time&{year}",
    "API, by reviewer, 52 weeks": "/api/v1/metrics/?by=reviewer&{year}",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.insights", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small version, to see that everything still runs")
    parser.add_argument("--cases", type=int, help="how many are many")
    options = parser.parse_args()
    few, many, loads = (100, 1_000, 2) if options.quick else (1_000, options.cases or 1_000_000, 10)
    with own_servers() as (url, _):
        _measure(url, few, options.cases or many, loads)


def _measure(url: str, few: int, many: int, loads: int) -> None:
    from . import ground
    from .figures import Figure, ms, table

    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what} …", file=sys.stderr, flush=True)

    say("building the database")
    land = ground.build(url, reviewers=40)
    say(f"{few:,} cases")
    seconds, rows = {}, {}
    fill(land, few, first=1)
    seconds[few], rows[few] = dict(measured(land, loads)), sums()
    say(f"{many:,} cases")
    fill(land, many - few, first=few + 1)
    say("measuring")
    seconds[many], rows[many] = dict(measured(land, loads)), sums()
    figures = []
    for name in (LOOK, *PAGES):
        for size in (few, many):
            once = seconds[size][name]
            ratio = None if size == few else once / seconds[few][name]
            figures.append(Figure(f"{name}, {size:,} cases", loads, f"p50 {ms(once)}", ratio))
    print("\n".join(table(figures)))
    kept = "; ".join(f"of {size:,} cases {many}" for size, many in rows.items())
    print(f"\nSums kept: {kept}. One run of {time.monotonic() - began:.0f} s on {os.cpu_count()} cores.")


def fill(land, count: int, *, first: int) -> None:
    """``count`` cases opened over the past year, and the sums of all that there is."""
    from django.db import connection

    from cases.models import Case, Content, Draft, Tenant
    from feedback.metrics import rollups
    from feedback.models import Review
    from feedback.services import reviews, route_quality
    from feedback.submission import Submission
    from queues.models import Passage
    from queues.services import claims
    from tests.worlds import FAIR

    from .ground import DOMAINS, _copy, _key, _without_key_checks

    world = land.world
    if not Review.objects.exists():
        case = world.submit(signals=FAIR, domain=DOMAINS[0])
        entry = claims.claim(case, world.reviewer)
        reviews.submit(case.pk, Submission("accept"), actor=world.reviewer, generation=entry.generation)
    review = Review.objects.select_related("draft").earliest("id")
    # A case may begin as approved automatically, and not as decided by a person: copies of rows are inserts too.
    case, draft = Case.objects.filter(state="auto_approved").earliest("id"), review.draft
    opened = f"now() - interval '1 day' - mod(n * 7919, {YEAR_MINUTES}) * interval '1 minute'"
    empty = {"body": "'{}'", "search_text": "''"}
    new = f"CASE WHEN mod(n * 7919, {YEAR_MINUTES}) < 13 * 1440 THEN '{new_release(world.tenant).pk}'::uuid "
    kinds = "(ARRAY['{low_confidence}', '{low_confidence,policy_boundary}', '{}', '{high_stakes}'])[1 + mod(n, 4)]"
    hired = ", ".join(f"'{user.pk}'" for user in land.reviewers)
    with _without_key_checks():
        for kind, source in ((1, case.content_id), (2, draft.content_id), (6, review.content_id)):
            _copy(Content, source, first, count, id=_key(kind), case_id=_key(4), **empty)
        _copy(
            Draft,
            draft.pk,
            first,
            count,
            id=_key(3),
            case_id=_key(4),
            content_id=_key(2),
            release_id=f"{new} ELSE t.release_id END",
            triggers=f"{kinds}::varchar[]",
            route="CASE mod(n, 3) WHEN 0 THEN 'auto_approve' ELSE 'quick_review' END",
        )
        _copy(
            Case,
            case.pk,
            first,
            count,
            id=_key(4),
            content_id=_key(1),
            current_draft_id=_key(3),
            external_id="''",
            opened_at=opened,
            domain=f"(ARRAY{list(DOMAINS)!r})[1 + mod(n, {len(DOMAINS)})]",
        )
        _copy(
            Review,
            review.pk,
            first,
            count * 2 // 3,
            id=_key(5),
            case_id=_key(4),
            draft_id=_key(3),
            content_id=_key(6),
            created_at=f"{opened} + interval '20 minutes'",
            reviewer_id=f"(ARRAY[{hired}]::uuid[])[1 + mod(n, {len(land.reviewers)})]",
            handling_seconds="mod(n * 37, 1800)",
            is_override="mod(n, 9) = 0",
            xid="DEFAULT",
        )
        last = first + count - 1
        _copy(
            Passage,
            Passage.objects.filter(kind="review").earliest("id").pk,
            (first - 1) // RARE + 1,
            last // RARE - (first - 1) // RARE,
            id=_key(7),
            case_id=_key(4).replace("to_hex(n)", f"to_hex(n * {RARE})"),
            due_at="t.entered_at",
            left_at="t.entered_at + interval '1 minute'",
            xid="DEFAULT",
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    rollups.rebuild(Tenant.objects.get(pk=world.tenant.pk))
    route_quality.refresh()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE feedback_metrichour, feedback_metricday")


def new_release(tenant):
    """First seen two weeks ago."""
    from datetime import timedelta

    from cases.clock import db_now
    from cases.models import Release

    made, _ = Release.objects.get_or_create(
        tenant=tenant, model="next", defaults={"first_seen_at": db_now() - timedelta(days=14)}
    )
    return made


def measured(land, loads: int) -> Iterator[tuple[str, float]]:
    """The median time of each page, in seconds."""
    from datetime import timedelta

    from django.test import Client

    from cases.clock import db_now
    from cases.models.people import system_actor
    from cases.services.people import issue_token
    from feedback.services import drifting

    from .load import timed

    world, now = land.world, db_now()
    token = issue_token(world.supervisor, actor=system_actor(), tenant=world.tenant)
    browser = Client(headers={"Authorization": f"Token {token}"})
    browser.force_login(world.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    spans = {
        name: f"from={now - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}&to={now:%Y-%m-%dT%H:%M:%SZ}"
        for name, days in (("month", 28), ("year", 364))
    }
    release = new_release(world.tenant)
    yield LOOK, median(timed(partial(drifting.look, release.pk)) for _ in range(min(3, loads)))
    for name, address in PAGES.items():
        address = address.format(**spans)
        _load(browser, address)
        yield name, median(timed(partial(_load, browser, address)) for _ in range(loads))


def sums() -> str:
    from feedback.models import MetricDay, MetricHour

    return f"{MetricHour.objects.count():,} by hour and {MetricDay.objects.count():,} by day"


def _load(browser, address: str) -> None:
    response = browser.get(address)
    assert response.status_code == 200, f"{address} answered {response.status_code}: {response.content[:300]!r}"


if __name__ == "__main__":
    main()
