"""What the audit trail costs: a change with history and seal beside a plain save; sealing and verifying many rows."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

from django.db import connection
from django.test import override_settings

from cases import audit_keys
from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent, RetentionRule, Seal
from cases.models.erasure import SHORTEST_AUDIT
from cases.models.people import system_actor
from cases.services import removal, sealing
from cases.services.seal_checks import verify

from .figures import Figure, ms, rate
from .ground import Ground
from .load import timed

SEALED = "sealed"
IN_ONE = 500  # rows of each of two tables in one transaction
VERSIONS = 10  # of one case

# Rows that differ in what differs in life: keys, instants and transactions.
FILL = """
    DO $$ BEGIN
        FOR n IN 1..{transactions} LOOP
            INSERT INTO cases_caseevent (id, {event}) SELECT gen_random_uuid(), {event}
                FROM (SELECT * FROM cases_caseevent ORDER BY id LIMIT 1) one, generate_series(1, {rows});
            INSERT INTO cases_historicalcase (id, {history})
                SELECT md5((n * 1000 + g / {versions})::text)::uuid, {history}
                FROM (SELECT * FROM cases_historicalcase ORDER BY history_id LIMIT 1) one,
                    generate_series(1, {rows}) g;
            COMMIT;
        END LOOP;
    END $$
"""


def sealing_costs(ground: Ground, changes: int, rows: int) -> Iterator[Figure]:
    """On a copy of the small database, whose audit trail is sealed by a key of this run. Fails where it does not
    verify."""
    from . import ground as grounds

    grounds.copy(ground, SEALED)
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "audit.pem"
        audit_keys.make(key)
        with ground.on(SEALED), override_settings(AUDIT_SIGNING_KEY=str(key)):
            sealing.seal_due()
            yield from _one_change(changes)
            fill(rows)
            yield from _many_rows(rows)
            yield from _old_rows()


def _one_change(changes: int) -> Iterator[Figure]:
    """A plain save, a save with history, and the share of the batch's sealing that falls to each."""
    case, actor = Case.objects.order_by("opened_at").first(), system_actor()
    plain, tracked = [], []

    def without_history() -> None:
        case.skip_history_when_saving = True
        try:
            case.save()
        finally:
            del case.skip_history_when_saving

    for _ in range(changes):
        plain.append(timed(without_history))
        tracked.append(timed(lambda: case.save_as(actor, "bench")))
    before = Seal.objects.count()
    seconds = timed(sealing.seal_due)
    assert Seal.objects.count() > before
    base = median(plain)
    yield Figure("a plain save", changes, f"p50 {ms(base)}")
    with_history = median(tracked)
    yield Figure("a save with history", changes, f"p50 {ms(with_history)}", with_history / base, "a plain save")
    whole = with_history + seconds / changes
    yield Figure("a save with history and its share of a seal", changes, ms(whole), whole / base, "a plain save")


def fill(rows: int) -> None:
    """``rows`` audit rows of two tables in transactions of ``2 × IN_ONE``."""
    event = [f'"{field.column}"' for field in CaseEvent._meta.concrete_fields if field.column not in ("id", "xid")]
    history = [
        f'"{field.column}"'
        for field in Case.history.model._meta.concrete_fields
        if field.column not in ("id", "history_id", "xid")
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            FILL.format(
                transactions=max(1, rows // (2 * IN_ONE)),
                rows=min(IN_ONE, rows // 2),
                versions=VERSIONS,
                event=", ".join(event),
                history=", ".join(history),
            )
        )
        cursor.execute("ANALYZE cases_caseevent, cases_historicalcase")


def _many_rows(rows: int) -> Iterator[Figure]:
    found: list[sealing.Sealed] = []
    seconds = timed(lambda: found.append(sealing.seal_due(seconds=10**6)))
    sealed = found[0]
    yield Figure(f"sealing {sealed.rows:,} rows in {sealed.seals:,} seals", 1, f"{seconds:,.0f} s")
    yield Figure("sealing, rows a second", 1, rate([sealed.rows / seconds]))
    reports = []
    seconds = timed(lambda: reports.append(verify()))
    report = reports[0]
    if report.findings:
        raise AssertionError(report.findings[0])
    yield Figure(f"verifying {report.rows:,} rows in {report.seals:,} seals", 1, f"{seconds:,.0f} s")
    yield Figure("verifying, rows a second", 1, rate([report.rows / seconds]))


def _old_rows() -> Iterator[Figure]:
    """More than half a year later: past versions of the case go, signed for, and the rest is verified."""
    case = Case.objects.order_by("opened_at").first()
    rule = RetentionRule(tenant=case.tenant, audit_days=SHORTEST_AUDIT)
    rule.save_as(system_actor(), "bench")
    with pretend_now(db_now() + timedelta(days=2 * SHORTEST_AUDIT)):
        removed: list[int] = []
        seconds = timed(lambda: removed.append(removal.run(rule, actor=system_actor(), reason="bench")))
        yield Figure(f"removing {removed[0]:,} old rows", 1, f"{seconds:,.0f} s")
        yield Figure("removing, rows a second", 1, rate([removed[0] / seconds]))
        reports = []
        seconds = timed(lambda: reports.append(verify()))
    report = reports[0]
    if report.findings or report.removed.total != removed[0]:
        raise AssertionError(report.findings[:1] or report.removed)
    yield Figure(f"verifying {report.seals:,} seals afterwards", 1, f"{seconds:,.0f} s")
