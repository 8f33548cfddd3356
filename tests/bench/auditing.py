"""``python -m tests.bench.auditing``: the audit trail at 1,000 and at 1,000,000 events, with as many changes of cases
and sign-ins.

Rows are written by SQL, of a year. One person did one in 100,000 of them, one kind is as rare.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from statistics import median

from .own_servers import own_servers

YEAR_SECONDS = 365 * 24 * 3600
RARE = 100_000
PAGES = {
    "newest rows": "",
    "a page in the middle": "after={middle}",
    "one case": "case={case}",
    "a person who did much": "person=r0@bench",
    "a person who did little": "person=r1@bench",
    "a rare kind of event": "kind=case.withdrawn",
    "changes of cases alone": "source=cases.historicalcase",
    "sign-ins alone": "source=cases.accessevent",
    "everything of one request": "request=req-7",
    "a day half a year ago": "since={since}&until={until}",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.auditing", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small version, to see that everything still runs")
    parser.add_argument("--rows", type=int, help="how many are many")
    options = parser.parse_args()
    few, many, loads = (100, 1_000, 2) if options.quick else (1_000, options.rows or 1_000_000, 10)
    with own_servers() as (url, _):
        _measure(url, few, many, loads)


def _measure(url: str, few: int, many: int, loads: int) -> None:
    from . import ground
    from .figures import Figure, ms, table

    began = time.monotonic()
    land = ground.build(url, reviewers=2)
    seconds: dict[int, dict[str, float]] = {}
    for size, first in ((few, 1), (many, few + 1)):
        fill(land, size + 1 - first, first=first)
        print(f"{time.monotonic() - began:5.0f} s  {size:,} rows of each table …", file=sys.stderr, flush=True)
        seconds[size] = dict(measured(land, loads))
    figures = []
    for name in PAGES:
        for size in (few, many):
            ratio = None if size == few else seconds[size][name] / seconds[few][name]
            figures.append(Figure(f"{name}, {size:,} rows", loads, f"p50 {ms(seconds[size][name])}", ratio))
    print("\n".join(table(figures)))
    print(f"\nOne run of {time.monotonic() - began:.0f} s on {os.cpu_count()} cores.")


def fill(land, count: int, *, first: int) -> None:
    """``count`` events, changes of cases and sign-ins each, spread over the past year, for one case in a hundred; ten
    rows of a table are of one request."""
    from django.db import connection

    from cases.models import Case

    much, little = (user.pk for user in land.reviewers[:2])
    cases = list(Case.objects.order_by("id").values_list("pk", flat=True))
    columns = [field.column for field in Case.history.model._meta.concrete_fields]
    at = f"now() - mod(n::bigint * 7919, {YEAR_SECONDS}) * interval '1 second'"
    who = f"CASE WHEN mod(n, {RARE}) = 0 THEN '{little}'::uuid ELSE '{much}'::uuid END"
    request = "'req-' || n / 10"
    own = {"history_date": at, "history_user_id": who, "history_type": "'~'", "request_id": request, "history_id": None}
    kept = [name for name in columns if name not in ("history_id", "xid")]
    chosen = ", ".join(own.get(name) or f't."{name}"' for name in kept)
    names = ", ".join(f'"{name}"' for name in kept)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO cases_caseevent (id, tenant_id, case_id, subject, kind, actor_id, at, data, request_id)
            SELECT gen_random_uuid(), %s, (%s::uuid[])[1 + mod(n, %s)], '',
                CASE WHEN mod(n, {RARE}) = 7 THEN 'case.withdrawn' ELSE 'case.opened' END, {who}, {at}, '{{}}',
                {request}
            FROM generate_series(%s, %s) n""",
            [land.world.tenant.pk, cases, len(cases), first, first + count - 1],
        )
        cursor.execute(
            f"""INSERT INTO cases_historicalcase ({names}) SELECT {chosen}
            FROM (SELECT * FROM cases_historicalcase ORDER BY history_id LIMIT 1) t, generate_series(%s, %s) n""",
            [first, first + count - 1],
        )
        cursor.execute(
            f"""INSERT INTO cases_accessevent (user_id, kind, at, actor_id, way, reason, request_id)
            SELECT {who}, 'signed_in', {at}, {who}, 'password', '', {request} FROM generate_series(%s, %s) n""",
            [first, first + count - 1],
        )
        cursor.execute("VACUUM ANALYZE cases_accessevent")
        cursor.execute("VACUUM ANALYZE cases_caseevent")
        cursor.execute("VACUUM ANALYZE cases_historicalcase")


def measured(land, loads: int) -> Iterator[tuple[str, float]]:
    """The median time of each page, in seconds."""
    from datetime import timedelta

    from django.test import Client
    from django.urls import reverse

    from cases.clock import db_now
    from cases.models import Case
    from feedback.audit import trail

    from .load import timed

    half = db_now() - timedelta(days=182)
    middle = trail.page(trail.Question(land.world.tenant, land.world.compliance, until=half), size=1)[0]
    answers = {
        "middle": middle[0].cursor if middle else "",
        "case": Case.objects.latest("id").wire_id,
        "since": f"{half:%Y-%m-%dT%H:%M}",
        "until": f"{half + timedelta(days=1):%Y-%m-%dT%H:%M}",
    }
    browser = Client()
    browser.force_login(land.world.compliance, backend="django.contrib.auth.backends.ModelBackend")
    for name, query in PAGES.items():
        address = f"{reverse('admin:audit')}?{query.format(**answers)}"
        _load(browser, address)
        yield name, median(timed(partial(_load, browser, address)) for _ in range(loads))


def _load(browser, address: str) -> None:
    answer = browser.get(address)
    assert answer.status_code == 200, answer.status_code
    assert b"Nothing to show" not in answer.content, address


if __name__ == "__main__":
    main()
