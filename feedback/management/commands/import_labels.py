"""``manage.py import_labels``: labels that were made elsewhere."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cases.errors import CountersignError
from cases.models import Tenant, User
from cases.permissions import Denied
from cases.services.audit import keep_denial
from feedback.label_files import MAX_BYTES, read_labels
from feedback.services.label_import import Plan, apply_import, plan_import

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Label corrections from a CSV or JSON Lines file with case_id or external_id, label and perhaps note. A weekly "
        "file with its labels filled in will do. The exit code is 1 if any line was of no use; the others count."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--as", dest="username", required=True, metavar="USER", help="whose labels they are")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, file: Path, tenant: str, username: str, dry_run: bool, **options: Any) -> None:
        place = Tenant.objects.filter(slug=tenant, is_active=True).first()
        if place is None:
            raise CommandError(f"There is no active tenant {tenant}.")
        actor = User.objects.filter(username=username).first()
        if actor is None:
            raise CommandError(f"There is no account called {username}.")
        try:
            plan = plan_import(read_labels(_read(file)), tenant=place, actor=actor)
            if not dry_run:
                apply_import(plan, actor=actor)
        except CountersignError as error:
            if isinstance(error, Denied):
                keep_denial(error)
            raise CommandError(error.message) from error
        self._tell(plan, dry_run=dry_run)
        if plan.complaints:
            sys.exit(1)

    def _tell(self, plan: Plan, *, dry_run: bool) -> None:
        for change in plan.changes[:SHOWN] if dry_run else []:
            self.stdout.write(f"line {change.line}: {change.case.wire_id} {change.before or 'none'} → {change.after}")
        for complaint in plan.complaints[:SHOWN]:
            self.stdout.write(f"line {complaint.line}: {complaint.message}")
        if (more := len(plan.complaints) - SHOWN) > 0:
            self.stdout.write(f"and {more:,} more lines of no use")
        self.stdout.write(
            f"{'would label' if dry_run else 'labelled'} {len(plan.changes):,}, stands already {plan.same:,}, "
            f"without a label {plan.unlabelled:,}, of no use {len(plan.complaints):,}"
        )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"The file {path} cannot be read: {error.strerror}.") from None
