"""``manage.py retain``: erase the texts that are older than their tenants keep them, now."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.services import retention


class Command(BaseCommand):
    help = (
        "Erases the texts of ended cases that are older than their tenant's retention period; the beat does the same "
        "every hour. Passes by what a legal hold keeps. May be stopped at any time and goes on where it was. With "
        "--dry-run only counts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", default="", help="only this tenant's, by its slug")
        parser.add_argument("--dry-run", action="store_true", help="count what is too old and erase nothing")

    def handle(self, *args: Any, tenant: str, dry_run: bool, **options: Any) -> None:
        rules = retention.rules()
        if tenant:
            rules = rules.filter(tenant__slug=tenant)
            if not rules.exists():
                raise CommandError(f"There is no tenant {tenant} with a retention period.")
        for rule in rules:
            waiting = retention.count(rule)
            words = f"{rule.tenant.slug}: {waiting:,} cases have texts older than {rule.case_days} days"
            if dry_run:
                self.stdout.write(f"{words}.")
                continue
            with tqdm(total=waiting, unit=" cases", file=sys.stderr, disable=None) as bar:
                done = retention.run(rule, progress=bar.update)
            self.stdout.write(f"{words}; {done:,} were erased.")
