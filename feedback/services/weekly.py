"""The weekly export of overrides: each final override goes out exactly once, whatever is late, killed or run twice.

An override belongs to the ISO week of its decision, on the clock of its tenant. Once that week is over and settled, one
transaction **fixes** the export: a row for tenant and week, and one for each override that was decided before the
week's end, is final and visible, and went out with no export before. The database lets a review go out once.

Whatever cannot be there in time, a transaction that commits later or a decision that is final later, was not in that
set and is in the next week's, marked ``is_late``. So the files together are the table, and none is ever rewritten. The
export keeps its **watermark**, ``pg_snapshot_xmin`` just before the rows were chosen: every transaction below it had
ended by then, so that a final override below it, decided before the week's end, is in this file or in an earlier one
(``missed`` looks for one that is not). No row is left out *by* its transaction id: ids start over after a restore, and
a writer that hangs elsewhere would hold back everybody's rows.

Writing the files comes after, under a lease, outside of any transaction, and as often as it takes; labels are those of
the fixing. A label that is given or changed later goes out in the correction file of the next week. A case that is
reopened keeps the decision that went out, and its next decision goes out as a row of its own.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from cases.clock import db_now
from cases.models import Tenant

from ..models import ExportedLabel, ExportedOverride, Review, WeeklyExport
from ..models.labels import standing_label
from ..states import WeeklyState
from ..weeks import SETTLING, Week
from .weekly_files import Progress, deliver

GRACE = timedelta(hours=2)  # Several beats: an export that is later than that, nobody is making.
_LOCK = 0x7765656B  # "week": the first half of the advisory lock, the tenant is the second.


def export_due(tenant: Tenant, *, until: Week | None = None, progress: Progress | None = None) -> list[WeeklyExport]:
    """Fix and deliver every week of ``tenant`` that is due, oldest first, unfinished ones before; safe to run twice.

    ``until``: no later week than this one. Returns what this call delivered; ``progress`` is told of rows as they are
    written.
    """
    unfinished = WeeklyExport.objects.filter(tenant=tenant, state=WeeklyState.FROZEN).order_by("year", "week")
    done = [export for export in list(unfinished) if deliver(export, progress=progress)]
    while export := fix_next(tenant, until=until):
        if deliver(export, progress=progress):
            done.append(export)
    return done


def next_week(tenant: Tenant, now: datetime) -> Week | None:
    """The week that is exported next, due or not; None while ``tenant`` has no override."""
    if last := WeeklyExport.objects.filter(tenant=tenant).order_by("-year", "-week").first():
        return last.iso_week.next()
    first = Review.objects.corrections(now).filter(tenant=tenant).order_by("created_at").first()
    return Week.of(first.created_at, ZoneInfo(tenant.time_zone)) if first else None


def pending(tenant: Tenant, week: Week, now: datetime) -> QuerySet[Review]:
    """The overrides that an export of ``week`` fixed at ``now`` would hold."""
    ends_at = week.ends_at(ZoneInfo(tenant.time_zone))
    return Review.objects.corrections(now).filter(tenant=tenant, created_at__lt=ends_at, exported=None)


def is_behind(now: datetime) -> bool:
    """Whether an export is long due and not made, or made and not delivered, for any tenant that has had one before."""
    unwritten = WeeklyExport.objects.filter(state=WeeklyState.FROZEN, frozen_at__lt=now - GRACE)
    a_week_and_more = now - timedelta(days=7) - SETTLING - GRACE
    exporting = Tenant.objects.filter(is_active=True, weekly_exports__isnull=False)
    return unwritten.exists() or exporting.exclude(weekly_exports__ends_at__gt=a_week_and_more).exists()


# --- fixing what an export holds --------------------------------------------------------------------------------------


@transaction.atomic
def fix_next(tenant: Tenant, *, until: Week | None = None) -> WeeklyExport | None:
    """Make the next due export of ``tenant`` and fix its rows; None when no week is due (or only later ones)."""
    with connection.cursor() as cursor:
        # Two beats take turns; the second then finds the week taken.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, str(tenant.pk)])
    now, zone = db_now(), ZoneInfo(tenant.time_zone)
    week = next_week(tenant, now)
    if week is None or not week.is_due(now, zone) or (until is not None and week > until):
        return None
    export = WeeklyExport(
        tenant=tenant,
        year=week.year,
        week=week.number,
        starts_at=week.starts_at(zone),
        ends_at=week.ends_at(zone),
        watermark=_watermark(),
        customer_fields=tenant.export_customer,
        frozen_at=now,
    )
    export.save(force_insert=True)
    export.counts = {
        "overrides": _fix_overrides(export, pending(tenant, week, now)),
        "corrections": _fix_corrections(export),
    }
    export.counts["late"] = export.overrides.filter(review__created_at__lt=export.starts_at).count()
    export.save(update_fields=["counts"])
    return export


def _watermark() -> str:
    """Taken before the rows are chosen: what it promises of an earlier moment holds of a later one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return cursor.fetchone()[0]


def _fix_overrides(export: WeeklyExport, reviews: QuerySet[Review]) -> int:
    chosen = reviews.order_by("pk").values_list(
        Value(export.pk), F("pk"), Coalesce(standing_label(), Value("")), named=False
    )
    return _insert(ExportedOverride, ("export_id", "review_id", "label"), chosen)


def _fix_corrections(export: WeeklyExport) -> int:
    """What earlier exports told of labels and what stands now, compared as a whole: the few that differ."""
    told = ExportedLabel.objects.filter(override=OuterRef("pk")).order_by("-id").values("label")[:1]
    earlier = (
        ExportedOverride.objects.filter(export__tenant=export.tenant_id)
        .exclude(export=export)
        .annotate(told=Coalesce(Subquery(told), F("label")), stands=Coalesce(standing_label("review"), Value("")))
        .exclude(told=F("stands"))
    )
    chosen = earlier.order_by("pk").values_list(Value(export.pk), F("pk"), F("told"), F("stands"))
    return _insert(ExportedLabel, ("export_id", "override_id", "was", "label"), chosen)


def _insert(model: type, columns: tuple[str, ...], rows: QuerySet) -> int:
    """``INSERT … SELECT``: however many rows, none of them travels. Returns how many there were."""
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        names = ", ".join(f'"{name}"' for name in columns)
        cursor.execute(f'INSERT INTO "{model._meta.db_table}" ({names}) {sql}', params)
        return cursor.rowcount


# --- the proof --------------------------------------------------------------------------------------------------------

# Of a case with actions nobody can tell afterwards when the last one ended, and so when its decision was final.
MISSED = """
    SELECT r.id FROM feedback_review r
      JOIN cases_case c ON c.id = r.case_id
      JOIN cases_tenant t ON t.id = r.tenant_id
      LEFT JOIN feedback_review u ON u.supersedes_id = r.id
      LEFT JOIN feedback_exportedoverride o ON o.review_id = r.id
    WHERE r.kind = 'decision' AND r.is_override AND u.id IS NULL AND o.id IS NULL
      AND c.purpose = 'real' AND c.state <> 'withdrawn'
      AND NOT EXISTS (SELECT FROM approvals_proposedaction a WHERE a.case_id = c.id)
      AND EXISTS (SELECT FROM feedback_weeklyexport e
                  WHERE e.tenant_id = r.tenant_id AND r.created_at < e.ends_at AND r.xid < e.watermark::xid8
                    AND r.created_at + make_interval(secs => t.undo_seconds) <= e.frozen_at)
"""


def missed() -> list[str]:
    """Overrides below an export's watermark that went out with none: there is never one."""
    with connection.cursor() as cursor:
        cursor.execute(MISSED)
        return [str(row[0]) for row in cursor.fetchall()]
