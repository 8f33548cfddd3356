"""``manage.py weekly_overrides``: the weekly export by hand."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.clock import db_now
from cases.models import Tenant
from feedback.models import WeeklyExport
from feedback.services.weekly import export_due, missed, next_week, pending
from feedback.states import WeeklyState
from feedback.weeks import Week


def week(text: str) -> Week:
    try:
        return Week.parse(text)
    except ValueError:
        raise ArgumentTypeError("a week such as 2026-W07 is needed") from None


class Command(BaseCommand):
    help = (
        "Export the overrides of every week that is over and has no export yet, as the beat does each Monday. "
        "Safe beside the beat and beside itself; what was interrupted is finished first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this tenant (default: all)")
        parser.add_argument("--until", type=week, metavar="YYYY-Www", help="no later week than this one")
        parser.add_argument("--dry-run", action="store_true", help="say what would be exported, and export nothing")
        parser.add_argument("--check", action="store_true", help="look for overrides that no export holds, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self._check()
            return
        tenants = Tenant.objects.filter(is_active=True).order_by("slug")
        if slug := options["tenant"]:
            tenants = tenants.filter(slug=slug)
            if not tenants.exists():
                raise CommandError(f"There is no active tenant {slug}.")
        for tenant in tenants:
            if options["dry_run"]:
                self._tell(tenant, options["until"])
            else:
                self._export(tenant, options["until"])

    def _export(self, tenant: Tenant, until: Week | None) -> None:
        with tqdm(desc=tenant.slug, unit=" rows", file=sys.stderr, disable=None) as bar:
            done = export_due(tenant, until=until, progress=bar.update)
        for export in done:
            self.stdout.write(f"{tenant.slug} {export.iso_week}: {_counted(export)}; {export.files[0]['key']}")
        if not done:
            self.stdout.write(f"{tenant.slug}: nothing is due.")

    def _tell(self, tenant: Tenant, until: Week | None) -> None:
        now, zone = db_now(), ZoneInfo(tenant.time_zone)
        for export in tenant.weekly_exports.filter(state=WeeklyState.FROZEN).order_by("year", "week"):
            self.stdout.write(f"{tenant.slug} {export.iso_week}: would be written again ({_counted(export)})")
        following, earlier = next_week(tenant, now), 0
        if following is None or not following.is_due(now, zone) or (until and following > until):
            self.stdout.write(f"{tenant.slug}: no further week is due.")
            return
        while following.is_due(now, zone) and (until is None or following <= until):
            upto = pending(tenant, following, now).count()
            self.stdout.write(f"{tenant.slug} {following}: would hold {upto - earlier:,} overrides")
            following, earlier = following.next(), upto

    def _check(self) -> None:
        lost = missed()
        if lost:
            raise CommandError(f"{len(lost):,} overrides went out with no export, the first: {lost[0]}")
        self.stdout.write(self.style.SUCCESS("Every override that an export should hold went out with one."))


def _counted(export: WeeklyExport) -> str:
    counts = export.counts
    return f"{counts['overrides']:,} overrides ({counts['late']:,} late), {counts['corrections']:,} corrected labels"
