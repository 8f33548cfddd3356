"""``manage.py access_report``: everything that is held on one customer, as JSON."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cases.errors import CountersignError
from cases.models import Tenant
from cases.models.people import system_actor
from cases.services import access_report
from cases.services.subjects import Subject


class Command(BaseCommand):
    help = (
        "Writes everything that is held on one customer of a tenant, for the answer to their request: to a file, which "
        "only its owner can read, or to the standard output. That it was made stands in the audit trail."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--reference", default="", help="the reference under which callers name the customer")
        who.add_argument("--email", default="", help="the address that cases give for the customer")
        parser.add_argument("--to", type=Path, help="a new file; the standard output without it")

    def handle(self, *args: Any, tenant: str, reference: str, email: str, to: Path | None, **options: Any) -> None:
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        if to is not None and to.exists():
            raise CommandError(f"{to} exists already: name a new file.")
        try:
            subject = Subject(found, reference=reference, email=email)
            report = access_report.make(subject, actor=system_actor())
        except CountersignError as error:
            raise CommandError(error.message) from error
        text = json.dumps(report, indent=2, ensure_ascii=False)
        if to is None:
            self.stdout.write(text)
            return
        to.touch(mode=0o600, exist_ok=False)
        to.write_text(f"{text}\n", encoding="utf-8")
        self.stdout.write(f"{len(report['cases'])} cases in {to}.")
