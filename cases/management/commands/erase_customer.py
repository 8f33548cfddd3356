"""``manage.py erase_customer``: erase the texts of one customer of a tenant, after a look at what that hits."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cases.errors import CountersignError, InFlight
from cases.models import Tenant
from cases.models.people import system_actor
from cases.services import erasure
from cases.services.subjects import Subject

PATIENCE = 100  # seconds: longer than any lease under which a message is sent


class Command(BaseCommand):
    help = (
        "Erases every text of one customer of a tenant and prints the receipt. What was decided, counted and sealed "
        "stays. With --dry-run only says what it would hit. A legal hold, a decision that can still be undone and an "
        "action under way refuse it; so does an open case, unless --close withdraws it first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--reference", default="", help="the reference under which callers name the customer")
        who.add_argument("--email", default="", help="the address that cases give for the customer")
        parser.add_argument("--reason", default="", help="stands in the receipt for ever: name nobody in it")
        parser.add_argument("--close", action="store_true", help="withdraw open cases first")
        parser.add_argument("--dry-run", action="store_true", help="say what it would hit and erase nothing")

    def handle(
        self,
        *args: Any,
        tenant: str,
        reference: str,
        email: str,
        reason: str,
        close: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        try:
            subject = Subject(found, reference=reference, email=email)
            if dry_run:
                return self._preview(subject)
            receipt = _patiently(subject, reason=reason, close=close)
        except CountersignError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Erased: receipt {receipt.wire_id}.")
        self._rows(receipt.counts, receipt.to_act_on)

    def _preview(self, subject: Subject) -> None:
        found = erasure.preview(subject, actor=system_actor())
        self.stdout.write("Nothing is erased yet. It would hit:")
        self._rows(found.counts, found.to_act_on)
        if found.others:
            self.stdout.write(f"  {found.others} further cases are under the same reference: erase that too if meant.")
        if found.named_in_references:
            self.stdout.write(
                f"  {found.named_in_references} cases name them in an id, a tag or a decision that the caller chose: "
                "these stand in sealed rows and stay."
            )
        if found.open_cases:
            self.stdout.write(f"  In the way: {found.open_cases} open cases; --close withdraws them first.")
        for sentence in [*found.in_the_way, *(["A legal hold stands on them."] if found.is_held else [])]:
            self.stdout.write(f"  In the way: {sentence}")

    def _rows(self, counts: dict[str, int], to_act_on: list[dict[str, Any]]) -> None:
        for name, count in counts.items():
            self.stdout.write(f"  {name.replace('_', ' ')}: {count:,}")
        for row in to_act_on:
            said = ", ".join(f"{name} {value}" for name, value in row.items() if name != "what")
            self.stdout.write(f"  To act on, {row['what']}: {said}")


def _patiently(subject: Subject, **how: Any) -> Any:
    """A message that is being sent is waited for."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return erasure.erase(subject, actor=system_actor(), **how)
        except InFlight as busy:
            if time.monotonic() >= ends:
                raise
            time.sleep(min(busy.retry_after or 1, 5))
