"""``manage.py remove_audit``: take away the audit rows whose retention period is over; their seals go on verifying."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.utils import DatabaseError
from tqdm import tqdm

from cases.errors import CountersignError
from cases.models.people import system_actor
from cases.services import removal


class Command(BaseCommand):
    help = (
        "For the owner of the tables, with the key that signs seals: removes views of data, refused attempts, sign-ins "
        "and past versions that are older than their tenant keeps audit rows, and signs which. Digests and counts stay "
        "in the seals, so that verify_audit tells a lawful removal from a deletion. Legal holds win. May be stopped at "
        "any time and run again. With --dry-run only counts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", default="", help="only this tenant's, by its slug")
        parser.add_argument("--reason", default="", help="on what ground; stands in the audit trail")
        parser.add_argument("--dry-run", action="store_true", help="count what is old enough and remove nothing")

    def handle(self, *args: Any, tenant: str, reason: str, dry_run: bool, **options: Any) -> None:
        rules = removal.rules()
        if tenant:
            rules = rules.filter(tenant__slug=tenant)
        if not rules.exists():
            raise CommandError("No such tenant has a retention period for audit rows: they are kept.")
        for rule in rules:
            due = removal.count(rule)
            slug = rule.tenant.slug
            self.stdout.write(f"{slug}: {sum(due.values()):,} rows are older than {rule.audit_days} days.")
            if dry_run:
                for table, rows in sorted(due.items()):
                    self.stdout.write(f"  {table}: {rows:,}")
                continue
            try:
                with tqdm(
                    desc=slug, total=sum(due.values()), unit="row", file=sys.stderr, disable=not sys.stderr.isatty()
                ) as bar:
                    done = removal.run(rule, actor=system_actor(), reason=reason, progress=bar.update)
            except CountersignError as error:
                raise CommandError(error.message) from None
            except DatabaseError as error:
                said = str(error).strip().splitlines()[0]
                raise CommandError(f"The database refused ({said}): what was removed before stays removed.") from None
            self.stdout.write(self.style.SUCCESS(f"{slug}: {done:,} rows were removed, and signed for."))
