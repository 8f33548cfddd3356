"""``manage.py seal_audit``: seal all that is committed, now."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.errors import CountersignError
from cases.services import head_publishing, sealing

FOREVER = 10**9  # seconds


class Command(BaseCommand):
    help = (
        "Seals every row of the audit trail whose transaction is over; the beat does the same each minute. Waits for "
        "another sealer. With --dry-run only counts what waits."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count what waits and seal nothing")
        parser.add_argument("--publish", action="store_true", help="publish the head to whoever is due")

    def handle(self, *args: Any, dry_run: bool, publish: bool, **options: Any) -> None:
        waiting = sealing.unsealed()
        some = f"{waiting:,} or more" if waiting >= sealing.COUNTED else f"{waiting:,}"
        if dry_run:
            self.stdout.write(f"{some} rows wait for a seal.")
            return
        try:
            with tqdm(desc="sealing", unit="row", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
                sealed = sealing.seal_due(seconds=FOREVER, wait=True, progress=bar.update)
        except CountersignError as error:
            raise CommandError(error.message) from None
        self.stdout.write(self.style.SUCCESS(f"{sealed.rows:,} rows in {sealed.seals:,} new seals."))
        if publish:
            self.stdout.write(f"Published on {head_publishing.publish_due()} ways.")
