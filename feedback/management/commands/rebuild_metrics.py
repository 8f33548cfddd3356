"""``manage.py rebuild_metrics``: count every hour and day anew, or say where the sums differ from the facts."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.models import Tenant
from feedback.metrics import rollups

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Throw the metrics' sums by hour and by day away and count them anew from cases and reviews, in each tenant's "
        "time zone. With --dry-run only compare: nothing is written, and the exit code is 1 where a sum differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this tenant")
        parser.add_argument("--dry-run", action="store_true", help="compare and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = Tenant.objects.order_by("slug")
        if slug := options["tenant"]:
            tenants = tenants.filter(slug=slug)
            if not tenants:
                raise CommandError(f"There is no tenant {slug}.")
        differences = sum(self._compare(tenant) if options["dry_run"] else self._rebuild(tenant) for tenant in tenants)
        if differences:
            raise CommandError(f"{differences:,} sums differ: run rebuild_metrics without --dry-run.")

    def _rebuild(self, tenant: Tenant) -> int:
        with self._bar(tenant) as bar:
            rows = rollups.rebuild(tenant, progress=bar)
        self.stdout.write(f"{tenant.slug}: {rows:,} sums")
        return 0

    def _compare(self, tenant: Tenant) -> int:
        with self._bar(tenant) as bar:
            found = rollups.compare(tenant, progress=bar)
        for one in found[:SHOWN]:
            missing = "not kept" if one.kept is None else "not counted" if one.counted is None else "differs"
            name = f"{one.dimension} {one.key}".strip()
            at = f"{one.hour:%Y-%m-%d %H:%M}" if one.hour else f"{one.day}, the whole day,"
            self.stdout.write(f"{tenant.slug}: {at} {one.domain}, {name}: {missing}")
        self.stdout.write(f"{tenant.slug}: {len(found):,} sums differ" if found else f"{tenant.slug}: all sums agree")
        return len(found)

    def _bar(self, tenant: Tenant) -> "_Bar":
        return _Bar(tenant.slug)


class _Bar:
    """A progress bar on a terminal, called with how many weeks are done."""

    def __init__(self, name: str) -> None:
        self._bar = tqdm(desc=name, unit="week", file=sys.stderr, disable=not sys.stderr.isatty())

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)
